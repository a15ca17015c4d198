/**
 * The engine in a simulated room: players who measure as the SDK does, the latency map that takes it in, the
 * policy that decides. It sees noisy probes within its budget and nothing else.
 */
import type { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import { type PlayerTraffic, PlayerWeights } from "../decide/player-weights.js";
import { RoomPolicy } from "../decide/room-policy.js";
import type { RoomTie } from "../decide/ties.js";
import type { PlacementParameters, RoomView, Verdict } from "../decide/types.js";
import type { RoomDemand } from "../decide/work.js";
import { DEFAULT_PROBING, ProbePlanner } from "../probing/probe-planner.js";
import { ABSENT } from "./scenario.js";

/** One step of the simulation, ms. */
export const STEP_MS = 1_000;
/** Pings in one probe. */
const PINGS = 3;
/** What passes between a room and its players is told once in so many steps. */
const TRAFFIC_STEPS = 5;
/** A round of confirming asks a few players; this bounds the rounds. */
const MAX_ROUNDS = 200;

/** Round trip as a player measures it now, ms. */
export type PingSource = (node: number, host: number) => number;

interface Seat {
  playerId: string;
  node: number;
  standing: string[];
}

export interface EngineOptions {
  hosts: HostTable;
  parameters: PlacementParameters;
  costs: MoveCosts;
  probes: number;
  roomId: string;
  work: RoomDemand | undefined;
  /** Rooms it talks with, as they are when it is looked at. */
  ties?: () => readonly RoomTie[];
  /** What passed between the room and a seat of late; all seats count the same if not given. */
  traffic?: (seat: number, step: number) => PlayerTraffic;
}

export class EngineRoom {
  readonly #options: EngineOptions;
  readonly #policy: RoomPolicy;
  readonly #probing: ProbePlanner;
  readonly #seats = new Map<number, Seat>();
  readonly #weights = new PlayerWeights();
  readonly #indexOf: Map<string, number>;
  #players = 0;
  #hostId: string | undefined;
  /** Confirming probes made, and stays of a player at a place: their quotient is what one cost. */
  confirming = 0;
  stays = 0;
  last: Verdict | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#policy = new RoomPolicy(options.parameters, options.costs);
    this.#probing = new ProbePlanner(options.hosts, options.parameters, {
      ...DEFAULT_PROBING,
      confirming: options.probes,
    });
    this.#indexOf = new Map([...options.hosts].map(({ hostId }, index) => [hostId, index]));
  }

  /** @returns the index of the host the room is on after this step */
  step(step: number, nodes: ArrayLike<number>, ping: PingSource): number {
    const atMs = step * STEP_MS;
    for (let seat = 0; seat < nodes.length; seat++) this.#seat(seat, nodes[seat] ?? ABSENT, atMs, ping);
    if (step % TRAFFIC_STEPS === 0) this.#weigh(step);
    const running = this.#room();
    for (const seat of this.#seats.values()) {
      if (this.#hostId !== undefined && this.#probe(seat, this.#hostId, atMs, ping))
        this.#settle(seat, atMs, ping);
      const regular =
        this.#probing.explore(running, seat.playerId, atMs) ?? seat.standing[step % seat.standing.length];
      if (regular !== undefined && this.#probe(seat, regular, atMs, ping)) this.#settle(seat, atMs, ping);
    }
    const room = this.#room();
    if (room.playerIds.length > 0) this.#confirm(room, atMs, ping);
    const decision = this.#policy.evaluate(room, this.#options.hosts, atMs);
    this.last = decision;
    const { toHostId } = decision;
    if (toHostId !== undefined && (decision.verdict === "place" || decision.verdict === "move")) {
      if (decision.verdict === "move") {
        const fromHostId = this.#hostId ?? "";
        this.#policy.migrated({
          mechanism: "handoff",
          fromHostId,
          toHostId,
          freezeMs: 0,
          degradedMs: 0,
          bytes: 0,
          atMs,
        });
      }
      this.#hostId = toHostId;
    }
    return this.#indexOf.get(this.#hostId ?? "") ?? 0;
  }

  /** Everyone leaves: nothing measured here may help another room. */
  close(): void {
    for (const seat of this.#seats.values()) this.#leave(seat);
    this.#seats.clear();
  }

  #leave({ playerId }: Seat): void {
    this.#options.hosts.map.removePlayer(playerId);
    this.#probing.forget(playerId);
  }

  /** As its neighbours see it. */
  get view(): RoomView {
    const playerIds = [...this.#seats.values()].map(({ playerId }) => playerId);
    const { roomId, work } = this.#options;
    const { weights } = this.#weights;
    return {
      roomId,
      hostId: this.#hostId,
      playerIds,
      carrier: "process",
      ...(weights !== undefined && { weights }),
      ...(work !== undefined && { work }),
    };
  }

  #weigh(step: number): void {
    const { traffic } = this.#options;
    if (traffic === undefined) return;
    this.#weights.report(
      new Map([...this.#seats].map(([seat, { playerId }]) => [playerId, traffic(seat, step)])),
    );
  }

  #room(): RoomView {
    const { ties } = this.#options;
    return ties === undefined ? this.view : { ...this.view, ties: ties() };
  }

  #seat(index: number, node: number, atMs: number, ping: PingSource): void {
    const seat = this.#seats.get(index);
    if (node === ABSENT) {
      if (seat !== undefined) this.#leave(seat);
      this.#seats.delete(index);
    } else if (seat !== undefined) seat.node = node;
    else {
      const playerId = `${this.#options.roomId} p${this.#players++}`;
      const joined: Seat = { playerId, node, standing: [] };
      this.#seats.set(index, joined);
      this.#options.hosts.map.upsertPlayer({ playerId });
      this.#settle(joined, atMs, ping);
    }
  }

  /** A player at a new place measures its standing few and may confirm anew. */
  #settle(seat: Seat, atMs: number, ping: PingSource): void {
    this.#probing.moved(seat.playerId);
    this.stays++;
    seat.standing = this.#probing.standing();
    for (const hostId of seat.standing) this.#probe(seat, hostId, atMs, ping);
  }

  #confirm(room: RoomView, atMs: number, ping: PingSource): void {
    const byId = new Map([...this.#seats.values()].map((seat) => [seat.playerId, seat]));
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const ask = this.#probing.confirm(room, atMs);
      if (ask === undefined) return;
      const seat = byId.get(ask.playerId);
      if (seat === undefined) return;
      this.confirming++;
      this.#probe(seat, ask.hostId, atMs, ping);
    }
  }

  /** @returns whether the path turned out to have changed */
  #probe({ playerId, node }: Seat, hostId: string, atMs: number, ping: PingSource): boolean {
    let changed = false;
    for (let i = 0; i < PINGS; i++) {
      const rttMs = ping(node, this.#indexOf.get(hostId) ?? 0);
      const verdict = this.#options.hosts.map.addProbe({ playerId, hostId, atMs, rttMs });
      if (verdict.accepted && verdict.pathChanged) changed = true;
    }
    return changed;
  }
}
