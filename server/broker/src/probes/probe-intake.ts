/**
 * A player reported probes: one use case, whether the report came over HTTP or by the player's room, with a request to join,
 * or from another broker. What is not believed is never used. A broker that decides about none of the player's rooms tells
 * the one that does.
 */
import {
  type GatewayReport,
  type JoinHints,
  type Location,
  MAX_NEXT,
  type ProbeReport,
  type ProbeResponse,
  type Way,
} from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { BrokerLinks } from "../cluster/broker-links.js";
import type { Carried, PlayerReportBody } from "../cluster/broker-messages.js";
import type { Cluster, Member } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlacementLoop } from "../placement/placement-loop.js";
import { roomFacts } from "../placement/room-facts.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { GatewayLegs } from "./gateway-legs.js";
import type { PlayerEntry, PlayerRegistry } from "./player-registry.js";
import { bestWay, byShortestWays, toGatewaysOf } from "./player-ways.js";
import type { SessionWays } from "./session-ways.js";

/** A player that moves is followed closely, one that stays put costs little. */
const MIN_INTERVAL_MS = 2_000;
const MAX_INTERVAL_MS = 30_000;
const BACK_OFF = 2.5;
/** Rooms wait for a player whose path has just changed: what places it again is measured without a pause. */
const REMEASURE_INTERVAL_MS = 250;
/** Measurements of a newcomer come before the news that it has joined; they wait for it so long. */
const NEWCOMER_MS = 30_000;

export interface ProbeEvents {
  /** A player reported its place or round trips, to this broker or to another. */
  "player.measured": { player: PlayerEntry };
}

/** What a player says of itself. */
export interface PlayerReport {
  player: PlayerEntry;
  location?: Location | undefined;
  network?: string | undefined;
  probes: readonly ProbeReport[];
  /** `direct`: it has found its room's host no farther without a gateway. */
  way?: Way | undefined;
  /** By which gateway it comes. */
  gatewayId?: string | undefined;
  gateways?: readonly GatewayReport[] | undefined;
}

export interface ProbeIntakeOptions {
  engine: PlacementEngine;
  loop: Pick<PlacementLoop, "mark">;
  players: PlayerRegistry;
  legs: GatewayLegs;
  events: Emitter<ProbeEvents>;
  rooms: RoomRegistry;
  cluster: Pick<Cluster, "owns" | "ownerOf">;
  brokerLinks: Pick<BrokerLinks, "tell">;
  sessionWays: Pick<SessionWays, "comesBy">;
  clock: Clock;
  newId: NewId;
}

export class ProbeIntake {
  readonly #options: ProbeIntakeOptions;

  constructor(options: ProbeIntakeOptions) {
    this.#options = options;
  }

  /** A player reported to this broker. @returns what was not used and why */
  report(report: PlayerReport): ProbeResponse["rejected"] {
    const { player } = report;
    player.chosenDirect = report.way === "direct";
    if (player.chosenDirect) this.#leavesGateways(player);
    const probes = this.#byGateways(report);
    const rejected = this.#take({ ...report, probes });
    for (const { roomId } of player.sessions.values()) this.tellOwner(player, roomId, probes);
    if (player.joining === 0) this.#options.players.release(player);
    return rejected;
  }

  /** How far players are whose clients measure nothing; how far hosts are from their gateway is known. */
  measuredByGateway(carried: readonly Carried[]): void {
    const { players, rooms, legs, cluster, brokerLinks } = this.#options;
    const others = new Map<Member, Carried[]>();
    for (const one of carried) {
      const { roomId, sessionId, gatewayId, rttMs } = one;
      const owner = cluster.owns(roomId) ? undefined : cluster.ownerOf(roomId);
      if (owner !== undefined) {
        others.set(owner, [...(others.get(owner) ?? []), one]);
        continue;
      }
      const session = rooms.get(roomId)?.sessions.get(sessionId);
      const player = session?.playerId === undefined ? undefined : players.get(session.playerId);
      if (player === undefined || session?.gatewayId !== gatewayId || !legs.knows(gatewayId)) continue;
      this.report({ player, probes: [], gatewayId, gateways: [{ gatewayId, rttsMs: [rttMs] }] });
    }
    for (const [owner, players] of others) brokerLinks.tell(owner, { type: "carried", players });
  }

  /** Another gateway than that of now, if the player's rooms are clearly nearer by it. */
  betterGateway({ toGateways, sessions }: PlayerEntry, hostOf: (roomId: string) => string | undefined) {
    const { legs } = this.#options;
    const [session] = sessions.values();
    const hostId = session && hostOf(session.roomId);
    if (toGateways === undefined || hostId === undefined) return undefined;
    const best = bestWay(toGateways, hostId, legs)?.gatewayId;
    return best === toGateways.presentId ? undefined : best;
  }

  /** No gateway asks for such a session, which would say so. */
  #leavesGateways({ sessions }: PlayerEntry): void {
    for (const { roomId, sessionId } of sessions.values())
      this.#options.sessionWays.comesBy({ roomId, sessionId });
  }

  /** Placement is for the ways that players will take; other brokers are told of these too. */
  #byGateways({ player, probes, gatewayId, gateways }: PlayerReport): ProbeReport[] {
    const { engine, legs, clock } = this.#options;
    const nowMs = clock.now();
    if (gatewayId !== player.toGateways?.presentId) player.toGateways = undefined;
    player.toGateways = toGatewaysOf(gatewayId, gateways, nowMs) ?? player.toGateways;
    return byShortestWays(probes, engine.hostIds(), player.toGateways, legs, nowMs);
  }

  /** Another broker may decide about the room that this player is in: then that one has to know what it measured. */
  tellOwner(player: PlayerEntry, roomId: string, probes: readonly ProbeReport[]): void {
    const { cluster, brokerLinks } = this.#options;
    if (cluster.owns(roomId)) return;
    const owner = cluster.ownerOf(roomId);
    if (owner === undefined) return;
    const { playerId, network, location, place } = player;
    const body = { playerId, network, location, place, probes: [...probes] };
    brokerLinks.tell(owner, { type: "measured", body });
  }

  /** Another broker was told by a player of a room about which this one decides. */
  reportedToBroker({ playerId, place, ...said }: PlayerReportBody): void {
    const player = this.newcomer(playerId);
    player.place = place ?? player.place;
    this.#take({ player, ...said });
  }

  /** A player of whom the news that it has joined may be still to come. */
  newcomer(playerId: string): PlayerEntry {
    const { players, clock } = this.#options;
    const player = players.of(playerId);
    player.joining++;
    clock.after(NEWCOMER_MS, () => {
      player.joining--;
      players.release(player);
    });
    return player;
  }

  /** What the player is to measure next, most telling first. */
  next(player: PlayerEntry): string[] {
    const { engine, rooms, clock } = this.#options;
    const seatedIn = [...player.sessions.values()].flatMap(({ roomId }) => {
      const room = rooms.get(roomId);
      return room === undefined ? [] : [roomFacts(room)];
    });
    return engine.nextProbes(player.playerId, seatedIn, MAX_NEXT, clock.now());
  }

  /** Somebody joins. @returns its party: each member counts as a player of its own for the placement */
  joins(player: PlayerEntry, hints: JoinHints | undefined): PlayerEntry[] {
    const { players, newId } = this.#options;
    if (hints === undefined) {
      players.measures(player);
      return [];
    }
    this.#take({ player, ...hints, probes: this.#byGateways({ player, ...hints }) });
    return (hints.party ?? []).map(({ probes, location }) => {
      // Of this request only: an id that could be foretold might be some player's.
      const member = players.of(newId());
      member.joining++;
      this.#take({ player: member, location, probes });
      return member;
    });
  }

  #take({ player, location, network, probes }: PlayerReport): ProbeResponse["rejected"] {
    const { engine, loop, players, events, clock } = this.#options;
    const rejected = new Map<string, string>();
    const atMs = clock.now();
    let changed = this.#locate(player, location);
    if (network !== undefined) {
      player.network = network;
      for (const session of player.sessions.values()) session.network = network;
    }
    for (const { hostId, rttsMs, lost } of probes) {
      for (const rttMs of [...rttsMs, ...new Array<undefined>(lost).fill(undefined)]) {
        const verdict = engine.addProbe(player.playerId, hostId, atMs, rttMs);
        if (!verdict.accepted) rejected.set(hostId, verdict.reason);
        else if (verdict.pathChanged) changed = true;
      }
    }
    players.standsIn(player);
    player.intervalMs = this.#nextInterval(player, changed, atMs);
    for (const { roomId } of player.sessions.values()) loop.mark(roomId);
    events.emit("player.measured", { player });
    return [...rejected].map(([hostId, reason]) => ({ hostId, reason }));
  }

  #nextInterval({ playerId, intervalMs }: PlayerEntry, changed: boolean, atMs: number): number {
    if (this.#options.engine.isRemeasuring(playerId, atMs)) return REMEASURE_INTERVAL_MS;
    if (changed || intervalMs < MIN_INTERVAL_MS) return MIN_INTERVAL_MS;
    return Math.min(MAX_INTERVAL_MS, intervalMs * BACK_OFF);
  }

  /** @returns true if it is somewhere else than before */
  #locate(player: PlayerEntry, location: Location | undefined): boolean {
    const before = player.location;
    const moved =
      location !== undefined &&
      (before?.latitude !== location.latitude || before.longitude !== location.longitude);
    if (moved) player.location = location;
    this.#options.players.measures(player);
    return moved;
  }
}
