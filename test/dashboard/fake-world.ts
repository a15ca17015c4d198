/** A world for the fake broker: places, rooms and players, all from a seed, and one migration at a time. */
import type {
  BrokerEvent,
  Decision,
  Host,
  MigrationPhase,
  MigrationView,
  Player,
  Receipt,
  Room,
} from "@centroid/protocol";
import type { Happening } from "./fake-broker.js";

export const CITIES: readonly [id: string, name: string, latitude: number, longitude: number][] = [
  ["frankfurt", "Frankfurt", 50.11, 8.68],
  ["virginia", "Virginia", 39.04, -77.49],
  ["sao-paulo", "São Paulo", -23.55, -46.63],
  ["tokyo", "Tokyo", 35.68, 139.69],
  ["singapore", "Singapore", 1.35, 103.82],
  ["sydney", "Sydney", -33.87, 151.21],
  ["mumbai", "Mumbai", 19.08, 72.88],
  ["johannesburg", "Johannesburg", -26.2, 28.05],
];

/** Noon of a fixed day: screenshots of two runs look the same. */
const START_MS = Date.UTC(2026, 0, 15, 12);
const PHASES: readonly MigrationPhase[] = [
  "preparing",
  "copying",
  "connecting",
  "frozen",
  "switching",
  "releasing",
];

export class FakeWorld {
  readonly hosts = new Map<string, Host>();
  readonly rooms = new Map<string, Room>();
  readonly players = new Map<string, Player>();
  readonly migrations = new Map<string, MigrationView>();
  readonly receipts: Receipt[] = [];
  readonly decisions: Decision[] = [];
  readonly #random: () => number;
  #nowMs = START_MS;
  #migrationCount = 0;

  constructor(seed = 1) {
    this.#random = randomFrom(seed);
  }

  nowMs(): number {
    return this.#nowMs;
  }

  pass(ms: number): void {
    this.#nowMs += ms;
  }

  /** Hosts in the first `count` cities, then scattered over inhabited latitudes. */
  addHosts(count: number): this {
    for (let index = 0; index < count; index += 1) {
      const [hostId, name, latitude, longitude] = CITIES[index] ?? [
        `edge-${index}`,
        `Edge ${index}`,
        this.#between(-40, 60),
        this.#between(-120, 150),
      ];
      this.hosts.set(hostId, {
        hostId,
        name,
        latitude,
        longitude,
        region: "",
        state: "active",
        carriers: ["process"],
        capacityRooms: 32,
        rooms: 0,
        players: 0,
        load: 0.1 + 0.4 * this.#random(),
        rssBytes: 90e6,
        beaconUrl: "ws://127.0.0.1:1/beacon",
        lastHeartbeatAtMs: this.#nowMs,
      });
    }
    return this;
  }

  /** A room on a host with players near the given cities in turn. */
  addRoom(roomId: string, hostId: string, players: number, cityIds: readonly string[]): this {
    this.rooms.set(roomId, {
      roomId,
      name: "arena",
      hostId,
      carrier: "process",
      state: "running",
      epoch: 1,
      players,
      maxPlayers: 64,
      locked: false,
      createdAtMs: this.#nowMs,
      migrations: 0,
    });
    for (let index = 0; index < players; index += 1) {
      const place = this.hosts.get(cityIds[index % cityIds.length] ?? "");
      if (!place) throw new Error(`no host in ${cityIds}`);
      const playerId = `${roomId}-p${index}`;
      this.players.set(playerId, {
        playerId,
        roomId,
        sessionId: `s${index}`,
        network: place.hostId,
        location: {
          latitude: place.latitude + this.#between(-3, 3),
          longitude: place.longitude + this.#between(-4, 4),
        },
      });
    }
    this.#measure(roomId);
    return this;
  }

  /** The whole hand-off, step by step; play each step's happenings in turn. */
  *migration(roomId: string, toHostId: string): Generator<Happening[]> {
    const room = this.#room(roomId);
    const fromHostId = room.hostId;
    this.#migrationCount += 1;
    const migrationId = `m${this.#migrationCount}`;
    const startedAtMs = this.#nowMs;
    const view = { migrationId, roomId, fromHostId, toHostId, reason: "latency" as const, startedAtMs };
    const phases: Receipt["phases"] = [];
    for (const [index, phase] of PHASES.entries()) {
      phases.push({ phase, atMs: this.#nowMs, durationMs: 18 });
      this.pass(18);
      const moving: Happening = { type: "room", room: { ...this.#room(roomId), state: "migrating" } };
      yield [
        { type: "migration", migration: { ...view, phase, bytes: index * 8_400 } },
        ...(index === 0 ? [moving] : []),
      ];
    }
    this.rooms.set(roomId, {
      ...room,
      hostId: toHostId,
      state: "running",
      epoch: room.epoch + 1,
      migrations: room.migrations + 1,
    });
    this.#measure(roomId);
    const receipt = this.#receipt(view, phases);
    yield [
      { type: "migration", migration: { ...view, phase: "completed", bytes: receipt.bytes } },
      { type: "receipt", receipt },
      { type: "room", room: this.#room(roomId) },
      ...[...this.players.values()]
        .filter((player) => player.roomId === roomId)
        .map((player): Happening => ({ type: "player", player })),
      ...[fromHostId, toHostId].map((hostId): Happening => ({ type: "host", host: this.#host(hostId) })),
    ];
  }

  /** An evaluation of a room: every active host as a candidate. */
  decision(roomId: string, verdict: "stay" | "move", toHostId?: string, regret = 0): Decision {
    const room = this.#room(roomId);
    const scored = [...this.hosts.values()].map((host) => ({ host, score: this.#score(roomId, host) }));
    scored.sort((a, b) => a.score - b.score);
    const chosen = toHostId ?? scored[0]?.host.hostId;
    return {
      decisionId: `d${this.decisions.length + 1}-${this.#nowMs}`,
      roomId,
      atMs: this.#nowMs,
      verdict,
      reason: verdict === "move" ? "latency" : "regret-too-small",
      fromHostId: room.hostId,
      ...(chosen !== undefined && { toHostId: chosen }),
      regret,
      threshold: 4_200,
      candidates: scored.map(({ host, score }) => ({
        hostId: host.hostId,
        scoreMs: score,
        meanMs: score * 0.8,
        maxMs: score * 1.2,
        load: host.load,
        source: "measured" as const,
        ...(host.hostId === chosen ? {} : { rejected: host.state === "active" ? "score" : host.state }),
      })),
      text:
        verdict === "move"
          ? `Moves to ${this.hosts.get(chosen ?? "")?.name}: the regret of staying exceeds the cost of a move.`
          : "Stays: the regret is below the cost of a move.",
    };
  }

  take(event: BrokerEvent): void {
    if (event.type === "host") this.hosts.set(event.host.hostId, event.host);
    if (event.type === "room") this.rooms.set(event.room.roomId, event.room);
    if (event.type === "player") this.players.set(event.player.playerId, event.player);
    if (event.type === "player-removed") this.players.delete(event.playerId);
    if (event.type === "receipt") this.receipts.unshift(event.receipt);
    if (event.type === "decision") this.decisions.unshift(event.decision);
    if (event.type === "migration") {
      const over = event.migration.phase === "completed" || event.migration.phase === "rolled-back";
      if (over) this.migrations.delete(event.migration.migrationId);
      else this.migrations.set(event.migration.migrationId, event.migration);
    }
  }

  decisionsOf(roomId: string): Decision[] {
    return this.decisions.filter((decision) => decision.roomId === roomId);
  }

  stateOf(roomId: string): unknown {
    const players = [...this.players.values()].filter((player) => player.roomId === roomId);
    return {
      tick: 4_711,
      players: Object.fromEntries(
        players.map((player, index) => [player.sessionId, { x: index * 3, y: 7, score: index }]),
      ),
    };
  }

  /** Round trips from distance, the room's mean and middle, and every host's counts. */
  #measure(roomId: string): void {
    const room = this.#room(roomId);
    const host = this.#host(room.hostId);
    const players = [...this.players.values()].filter((player) => player.roomId === roomId);
    let sum = 0;
    for (const player of players) {
      const p50Ms = rttMs(player.location ?? host, host);
      sum += p50Ms;
      this.players.set(player.playerId, {
        ...player,
        latency: { source: "measured", p50Ms, p95Ms: p50Ms * 1.3, jitterMs: 1 + p50Ms / 20, loss: 0 },
      });
    }
    const mean = (of: "latitude" | "longitude") =>
      players.reduce((total, player) => total + (player.location?.[of] ?? 0), 0) / players.length;
    this.rooms.set(roomId, {
      ...room,
      meanRttMs: sum / players.length,
      centroid: { latitude: mean("latitude"), longitude: mean("longitude") },
    });
    for (const each of this.hosts.values()) {
      const rooms = [...this.rooms.values()].filter((candidate) => candidate.hostId === each.hostId);
      const seats = rooms.reduce((total, candidate) => total + candidate.players, 0);
      this.hosts.set(each.hostId, { ...each, rooms: rooms.length, players: seats });
    }
  }

  #score(roomId: string, host: Host): number {
    const players = [...this.players.values()].filter((player) => player.roomId === roomId);
    return (
      players.reduce((total, player) => total + rttMs(player.location ?? host, host), 0) / players.length
    );
  }

  #receipt(view: Omit<MigrationView, "phase" | "bytes">, phases: Receipt["phases"]): Receipt {
    const max = 4 + 6 * this.#random();
    return {
      ...view,
      mechanism: "handoff",
      outcome: "completed",
      epoch: this.#room(view.roomId).epoch,
      totalMs: this.#nowMs - view.startedAtMs,
      phases,
      bytes: 50_400,
      freezeMs: { clients: 12, p50: 52, p99: 56, max: 50 + max },
      freezeBeyondTickMs: { p50: max / 2, p99: max * 0.9, max },
      messagesLost: 0,
      messagesDuplicated: 0,
      stateHashBefore: "b1946ac92492d2347c6235b4d2611184",
      stateHashAfter: "b1946ac92492d2347c6235b4d2611184",
    };
  }

  #room(roomId: string): Room {
    const room = this.rooms.get(roomId);
    if (!room) throw new Error(`no room ${roomId}`);
    return room;
  }

  #host(hostId: string): Host {
    const host = this.hosts.get(hostId);
    if (!host) throw new Error(`no host ${hostId}`);
    return host;
  }

  #between(low: number, high: number): number {
    return low + (high - low) * this.#random();
  }
}

/** Six cities, five rooms, some well placed and some not. */
export function stageWorld(): FakeWorld {
  return new FakeWorld()
    .addHosts(8)
    .addRoom("arena-1", "frankfurt", 12, ["frankfurt", "frankfurt", "virginia"])
    .addRoom("arena-2", "virginia", 10, ["tokyo", "tokyo", "singapore"])
    .addRoom("arena-3", "tokyo", 8, ["tokyo", "sydney"])
    .addRoom("arena-4", "sao-paulo", 9, ["sao-paulo", "sao-paulo", "johannesburg"])
    .addRoom("arena-5", "mumbai", 11, ["mumbai", "singapore", "frankfurt"]);
}

export function snapshotOf(world: FakeWorld): Happening {
  return {
    type: "snapshot",
    brokerId: "fake",
    emulated: true,
    hosts: [...world.hosts.values()],
    rooms: [...world.rooms.values()],
    players: [...world.players.values()],
    migrations: [...world.migrations.values()],
    receipts: world.receipts.slice(0, 50),
  };
}

/** About 1 ms per 55 km of great circle, as long fibre paths have it. */
function rttMs(
  a: { latitude: number; longitude: number },
  b: { latitude: number; longitude: number },
): number {
  const radians = Math.PI / 180;
  const h =
    Math.sin(((b.latitude - a.latitude) * radians) / 2) ** 2 +
    Math.cos(a.latitude * radians) *
      Math.cos(b.latitude * radians) *
      Math.sin(((b.longitude - a.longitude) * radians) / 2) ** 2;
  return 3 + (2 * 6371 * Math.asin(Math.sqrt(h))) / 55;
}

/** Mulberry32. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
