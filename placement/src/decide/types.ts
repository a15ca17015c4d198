/** What goes into a decision and what comes out of it, as plain data. */
import type { ObjectiveName, ObjectiveParameters } from "./objective.js";
import type { RoomTie } from "./ties.js";
import type { HostSpeed, HostWork, RoomDemand } from "./work.js";

export interface HostView {
  hostId: string;
  state: "active" | "draining" | "lost";
  capacityRooms: number;
  rooms: number;
  /** 0..1 */
  load: number;
  carriers: readonly string[];
  region: string;
  /** Money, in any unit. */
  costPerHour?: number;
  /** Kinds of rooms it has; any if not given or empty. */
  roomTypes?: readonly string[];
  /** How fast it computes; like one core of the reference machine if not given. */
  speed?: HostSpeed | undefined;
  /** What its rooms compute, as far as they say so. */
  work?: HostWork | undefined;
}

export interface RoomView {
  roomId: string;
  /** Undefined before it is placed. */
  hostId: string | undefined;
  playerIds: readonly string[];
  carrier: string;
  /** Kind of room, where hosts do not have all. */
  roomType?: string;
  allowedRegions?: readonly string[];
  /** Hosts this room must not share, e.g. with its standby. */
  avoidHostIds?: readonly string[];
  /** How much each player counts, by its id; 1 if not given. */
  weights?: ReadonlyMap<string, number> | undefined;
  objective?: ObjectiveName;
  /** Full hosts count as well: somebody may make way. */
  anySlot?: boolean;
  /** What it computes for its players: the time this takes at a host is part of J. */
  work?: RoomDemand;
  /** Rooms that it talks with. */
  ties?: readonly RoomTie[];
  /** How much its players do just now: 0 nobody does anything, 1 all are in the middle of something; undefined if unknown. */
  activity?: number | undefined;
}

export interface PlacementParameters extends ObjectiveParameters {
  /** Stages of the largest RTT any player should have, ms; the first that some host can keep is used. */
  capsMs: readonly number[];
  /** b: how often the regret must have paid for the move before it is made. */
  regretFactor: number;
  /** Least relative gain of a move. */
  minGain: number;
  /** A gain must also be so many standard errors of what was measured: noise moves nobody. */
  noiseMargin: number;
  /** Least time between two moves of a room, ms. */
  minDwellMs: number;
  /** Cost of a move before anything is known of moves, ms.player.s of freeze and of degraded service. */
  initialFreezeMs: number;
  initialDegradedMs: number;
  /** c1, c2, c3: a second of freeze counts like so many ms of latency, likewise degraded service; per MB. */
  freezeWeight: number;
  degradedWeight: number;
  bytesWeight: number;
  /** A room moves for latency only to a host that so large a share of its players has measured. */
  confirmedShare: number;
  /** Prior standard deviations of an unmeasured round trip that are added before it is compared with measured ones. */
  doubt: number;
  /** Standard deviations of luck an unmeasured host is granted when nothing more is expected of measuring it. */
  optimism: number;
  /** A host above this is relieved of rooms. */
  overload: number;
}

export const DEFAULT_PARAMETERS: PlacementParameters = {
  objective: "blend",
  worstWeight: 0.5,
  tailWeight: 0.25,
  loadWeightMs: 10,
  moneyWeightMs: 0,
  wakeWeightMs: 0,
  capsMs: [50, 100, 200],
  regretFactor: 0.4,
  minGain: 0.02,
  noiseMargin: 3.5,
  minDwellMs: 3_000,
  initialFreezeMs: 20,
  initialDegradedMs: 200,
  freezeWeight: 2_000,
  degradedWeight: 100,
  bytesWeight: 1,
  confirmedShare: 0.5,
  doubt: 0.2,
  optimism: 1.6,
  overload: 0.9,
};

export type Rejection =
  | "score"
  | "draining"
  | "lost"
  | "full"
  | "region"
  | "carrier"
  | "room-type"
  | "anti-affinity"
  | "cap";

export interface DecisionCandidate {
  hostId: string;
  /** J, ms; NaN for hosts that hard constraints exclude. */
  scoreMs: number;
  meanMs: number;
  maxMs: number;
  /** How long a request's work takes there, queueing included, ms; part of J. Of rooms that compute. */
  workMs?: number;
  /** What the rooms there lose by it, ms per player of this room; part of J. */
  crowdingMs?: number;
  /** The way to rooms it talks with, ms per player of this room; part of J, below 0 where they gain by coming along. */
  tieMs?: number;
  /** Standard error of J by the noise of the measured round trips, ms. */
  errorMs: number;
  load: number;
  source: "measured" | "coordinate" | "geodesic" | "mixed";
  /** Share of the players that have measured this host, 0..1. */
  measuredShare: number;
  /** Cap stage this host keeps, work included: 0 is the strictest. */
  capStage: number;
  rejected?: Rejection;
}

export type DecisionReason =
  | "placed"
  | "latency"
  | "cap"
  | "drain"
  | "evacuate"
  | "load"
  /** Another room needs its slot more. */
  | "make-way"
  | "consolidate"
  | "best"
  | "gain-too-small"
  | "regret-too-small"
  | "dwell"
  | "unconfirmed"
  /** A player's path changed just now, and it has yet to measure where it is. */
  | "remeasuring"
  /** The freeze would be long, and its players are in the middle of something. */
  | "awaiting-calm"
  /** It must leave and has its turn later. */
  | "waiting"
  | "no-players"
  | "no-host";

export interface FeltFreeze {
  expectedMs: number;
  /** 0 to 1. */
  activity: number;
  /** How long the room has waited for its players to pause. */
  waitedMs: number;
}

/** What is decided; the record with every candidate is made for those who ask (`explainDecision`). */
export interface Verdict {
  roomId: string;
  atMs: number;
  verdict: "place" | "stay" | "move" | "no-host";
  reason: DecisionReason;
  fromHostId?: string;
  toHostId?: string;
  /** Accumulated regret and what it must reach, ms.player.s. */
  regret: number;
  threshold: number;
  /** J(current) - J(best), ms. */
  gainMs: number;
  /** How the move would be felt, of a room whose players' activity is known. */
  freeze?: FeltFreeze;
  /** The best hosts, best first, and those the room is on or was about to go to. */
  contenders: readonly DecisionCandidate[];
}

/** A verdict with every candidate and a line of text. */
export interface ExplainedVerdict extends Omit<Verdict, "contenders"> {
  candidates: DecisionCandidate[];
  text: string;
}
