/** The placement package as the broker uses it: live hosts in, protocol records out. */

import {
  DEFAULT_PARAMETERS,
  type ExplainedVerdict as EngineDecision,
  type Verdict as EngineVerdict,
  type FleetAnswer,
  type HostView,
  type HostWork,
  type PlacementParameters,
  PlacementWorld,
  type PlannedMove,
  type ProbeVerdict,
  type Recording,
  type RoomFacts,
} from "@centroid/placement";
import type { Decision, Latency, Location, MoveReason, Receipt, TakenWay } from "@centroid/protocol";
import type { NewId } from "../base/ids.js";
import type { HostEntry } from "../hosts/host-registry.js";

export type { Recording, RoomFacts };

/** Those left out, or undefined, keep their defaults. */
export type ParameterOverrides = { [K in keyof PlacementParameters]?: PlacementParameters[K] | undefined };

/** Beyond this, a late freeze report says more about the client than about the move. */
const MAX_FREEZE_MS = 60_000;

export interface PlacementVerdict {
  reason: Decision["reason"];
  verdict: Decision["verdict"];
  toHostId: string | undefined;
  /** The full record, every candidate included: O(hosts), to be taken before anything else happens. */
  record: () => Decision;
  /** Set when the room should move now. */
  move: { toHostId: string; reason: MoveReason } | undefined;
}

export class PlacementEngine {
  readonly #world: PlacementWorld;
  readonly #parameters: PlacementParameters;
  readonly #newId: NewId;
  readonly #waysOf: (roomId: string) => readonly TakenWay[];

  /**
   * @param recording gets every input and every decision, from which `replay` makes the decisions again
   * @param waysOf how a room's players reach it now, for the record
   */
  constructor(
    parameters: ParameterOverrides,
    newId: NewId,
    recording?: Recording,
    waysOf: (roomId: string) => readonly TakenWay[] = () => [],
  ) {
    const given = Object.fromEntries(Object.entries(parameters).filter(([, value]) => value !== undefined));
    this.#parameters = { ...DEFAULT_PARAMETERS, ...given };
    this.#world = new PlacementWorld(this.#parameters, recording);
    this.#newId = newId;
    this.#waysOf = waysOf;
  }

  /**
   * The entry is kept and read whenever rooms are looked at, so its changes need not be told.
   * @param work of its rooms, asked for in the same way
   */
  upsertHost(host: HostEntry, work: () => HostWork | undefined): void {
    const { hostId, latitude, longitude } = host.facts;
    this.#world.upsertHost({ hostId, latitude, longitude }, liveView(host, work));
  }

  /** All that rooms may run on. */
  *hostIds(): IterableIterator<string> {
    for (const { hostId } of this.#world.hosts) yield hostId;
  }

  hasHost(hostId: string): boolean {
    return this.#world.hosts.get(hostId) !== undefined;
  }

  removeHost(hostId: string): void {
    this.#world.removeHost(hostId);
  }

  upsertPlayer(playerId: string, location: Location | undefined): void {
    this.#world.upsertPlayer({ playerId, ...location });
  }

  /** Two rooms talk with each other; see {@link PlacementWorld.tie}. */
  tie(roomId: string, otherId: string, players: number): void {
    this.#world.tie(roomId, otherId, players);
  }

  /** A room that another broker decides about, for the sake of those that talk with it. */
  see(room: RoomFacts, atMs: number): void {
    this.#world.see(room, atMs);
  }

  removePlayer(playerId: string): void {
    this.#world.removePlayer(playerId);
  }

  /** @param rttMs undefined for a probe that got no answer */
  addProbe(playerId: string, hostId: string, atMs: number, rttMs: number | undefined): ProbeVerdict {
    return this.#world.addProbe(
      rttMs === undefined ? { playerId, hostId, atMs, lost: true } : { playerId, hostId, atMs, rttMs },
    );
  }

  /** Whether the player's path changed just now, and too little is measured since to say where it is. */
  isRemeasuring(playerId: string, atMs: number): boolean {
    return this.#world.map.isRemeasuring(playerId, atMs);
  }

  hasMeasured(playerId: string): boolean {
    return this.#world.map.hasMeasured(playerId);
  }

  latency(playerId: string, hostId: string): Latency {
    const { source, p50Ms, p95Ms, jitterMs, loss } = this.#world.map.estimate(playerId, hostId);
    return { source, p50Ms, p95Ms, jitterMs, loss };
  }

  /** Hosts that a newcomer measures before anything is known of it, most telling first. */
  firstProbes(): string[] {
    return this.#world.firstProbes();
  }

  /** What a player should measure next, most telling first. */
  nextProbes(playerId: string, rooms: readonly RoomFacts[], count: number, atMs: number): string[] {
    return this.#world.nextProbes(playerId, rooms, count, atMs);
  }

  /** Where a new room starts. */
  place(room: Omit<RoomFacts, "hostId">, atMs: number): Decision {
    return this.#record(this.#world.place({ ...room, hostId: undefined }, atMs));
  }

  /** Whether a running room should move. Regret accumulates between calls. */
  evaluate(room: RoomFacts, atMs: number): PlacementVerdict {
    return this.#verdict(this.#world.evaluate(room, atMs), room);
  }

  /** True if it is worth anything that a host rests. */
  get saves(): boolean {
    return this.#parameters.wakeWeightMs > 0 || this.#parameters.moneyWeightMs > 0;
  }

  /** Who moves where; see {@link PlacementWorld.plan}. */
  plan(...question: Parameters<PlacementWorld["plan"]>): FleetAnswer {
    return this.#world.plan(...question);
  }

  /** The record of a planned move. */
  explainMove(move: PlannedMove, room: RoomFacts, atMs: number): Decision {
    return this.#record(this.#world.explainMove(move, room, atMs));
  }

  /** The record of a room that must leave and has its turn later. */
  waiting(room: RoomFacts, atMs: number): Decision {
    return this.#record(this.#world.explainWaiting(room, atMs));
  }

  /** Whether a room that stays would be better off on a host that is full. */
  isBlocked(room: RoomFacts): boolean {
    return this.#world.isBlocked(room);
  }

  /** What would be decided for a room now, without touching its regret. */
  whatIf(room: RoomFacts, atMs: number): Decision {
    // Nobody measures from where nobody is: estimates must do, and noise has no time to average out.
    const asked = { minDwellMs: 0, regretFactor: 0, confirmedShare: 0, noiseMargin: 0 };
    return this.#record(this.#world.whatIf(room, atMs, asked));
  }

  migrated(receipt: Receipt, atMs: number): void {
    if (receipt.outcome !== "completed") return;
    const frozen = receipt.phases.find(({ phase }) => phase === "frozen")?.durationMs ?? 0;
    this.#world.migrated(receipt.roomId, {
      mechanism: receipt.mechanism,
      fromHostId: receipt.fromHostId,
      toHostId: receipt.toHostId,
      freezeMs: Math.min(MAX_FREEZE_MS, receipt.freezeBeyondTickMs?.p99 ?? frozen),
      degradedMs: Math.min(MAX_FREEZE_MS, receipt.totalMs),
      bytes: receipt.bytes,
      atMs,
    });
  }

  forgetRoom(roomId: string): void {
    this.#world.forgetRoom(roomId);
  }

  #verdict(engine: EngineVerdict, room: RoomFacts): PlacementVerdict {
    const { verdict, toHostId, reason } = engine;
    const move =
      verdict === "move" && toHostId !== undefined ? { toHostId, reason: moveReason(reason) } : undefined;
    return { verdict, reason, toHostId, move, record: () => this.#record(this.#world.explain(engine, room)) };
  }

  #record(engine: EngineDecision): Decision {
    const { roomId, atMs, verdict, reason, fromHostId, toHostId, regret, threshold, freeze, text } = engine;
    const ways = [...this.#waysOf(roomId)];
    return {
      decisionId: this.#newId(),
      roomId,
      atMs,
      verdict,
      reason,
      ...(fromHostId !== undefined && { fromHostId }),
      ...(toHostId !== undefined && { toHostId }),
      regret,
      threshold,
      candidates: engine.candidates.map((candidate) => {
        const { hostId, scoreMs, meanMs, maxMs, workMs, crowdingMs, tieMs, load, source, rejected } =
          candidate;
        return {
          hostId,
          scoreMs,
          meanMs,
          maxMs,
          ...(workMs !== undefined && { workMs }),
          ...(crowdingMs !== undefined && { crowdingMs }),
          ...(tieMs !== undefined && { tieMs }),
          load,
          source,
          ...(rejected !== undefined && { rejected }),
        };
      }),
      ...(freeze !== undefined && { freeze }),
      ...(ways.length > 0 && { ways }),
      text,
    };
  }
}

/** One whose agent is not connected just now cannot take anything. */
function liveView(host: HostEntry, work: () => HostWork | undefined): HostView {
  return {
    get hostId() {
      return host.facts.hostId;
    },
    get state() {
      return host.stage.state === "active" && host.peer === undefined ? "lost" : host.stage.state;
    },
    get capacityRooms() {
      return host.facts.capacityRooms;
    },
    get costPerHour() {
      return host.facts.costPerHour ?? 0;
    },
    get rooms() {
      return host.roomIds.size;
    },
    get load() {
      return host.load;
    },
    get carriers() {
      return host.facts.carriers;
    },
    get region() {
      return host.facts.region;
    },
    get roomTypes() {
      return host.facts.roomTypes;
    },
    get speed() {
      return host.speed;
    },
    get work() {
      return work();
    },
  };
}

function moveReason(reason: EngineDecision["reason"]): MoveReason {
  switch (reason) {
    case "make-way":
    case "consolidate":
    case "cap":
    case "load":
    case "drain":
    case "evacuate":
      return reason;
    default:
      return "latency";
  }
}
