/** What a trace is made of: every input of the placement and every decision, in order, as plain data. */
import type { Migrated } from "../decide/room-policy.js";
import type { ExplainedVerdict, HostView, PlacementParameters, Verdict } from "../decide/types.js";
import type { RoomDemand } from "../decide/work.js";
import type { FleetBudget } from "../fleet/budget.js";
import type { FleetAnswer } from "../fleet/plan-moves.js";
import type { HostPlace, PlayerPlace, Probe } from "../latency/types.js";

/** Grows when a line's meaning changes; other versions are refused. */
export const TRACE_VERSION = 1;

/** A room as the broker knows it. */
export interface RoomFacts {
  roomId: string;
  name: string;
  carrier: string;
  /** Undefined before it is placed. */
  hostId: string | undefined;
  playerIds: readonly string[];
  /** What it computes, if it says so. */
  work?: RoomDemand | undefined;
  /** How much its players do, 0 to 1; undefined if unknown. */
  activity?: number | undefined;
  /** How much its players count, by their ids; 1 if not given. Another object whenever it changes. */
  weights?: ReadonlyMap<string, number> | undefined;
}

export type TraceInput =
  /** A host with its place. */
  | { type: "host"; atMs: number; place: HostPlace; host: HostView }
  /** What a known host offers now. */
  | { type: "host-changed"; atMs: number; host: HostView }
  | { type: "host-removed"; atMs: number; hostId: string }
  | { type: "player"; atMs: number; place: PlayerPlace }
  | { type: "player-removed"; atMs: number; playerId: string }
  | { type: "probe"; atMs: number; probe: Probe }
  | { type: "room"; atMs: number; roomId: string; name: string; carrier: string }
  | { type: "joined"; atMs: number; roomId: string; playerId: string }
  | { type: "left"; atMs: number; roomId: string; playerId: string }
  /** What it computes has changed; without `work` it computes nothing. */
  | { type: "work"; atMs: number; roomId: string; work?: RoomDemand }
  /** Its players do more than they did, or less; without `activity` nothing is known of it. */
  | { type: "activity"; atMs: number; roomId: string; activity?: number }
  /** Its players count otherwise than before; without `weights` all count the same. */
  | { type: "weights"; atMs: number; roomId: string; weights?: readonly (readonly [string, number])[] }
  /** The room is on another host than before, or on its first. */
  | { type: "moved"; atMs: number; roomId: string; hostId: string }
  /** As many players of both rooms wait for what comes over the way between them. */
  | { type: "tie"; atMs: number; roomIds: readonly [string, string]; players: number }
  /** The room is looked at for the sake of rooms that talk with it. */
  | { type: "seen"; atMs: number; roomId: string }
  /** What the move cost. */
  | { type: "receipt"; atMs: number; roomId: string; migrated: Migrated }
  | { type: "ended"; atMs: number; roomId: string };

/** @typeParam D what was decided; unknown where it is only compared */
export type TraceLine<D = unknown> =
  | { type: "start"; atMs: number; version: typeof TRACE_VERSION; parameters: PlacementParameters }
  | TraceInput
  /** Where a new room starts. */
  | { type: "placed"; atMs: number; roomId: string; decision: D }
  /** Whether a running room moves. */
  | { type: "evaluated"; atMs: number; roomId: string; decision: D }
  /** Who moves where when rooms are in each other's way, or to empty a host. */
  | { type: "planned"; atMs: number; question: RecordedQuestion; decision: D };

/** What a plan was asked: rooms by id. */
interface RecordedQuestion {
  /** Undefined for a look for hosts that may rest. */
  pressed?: readonly string[] | undefined;
  /** Rooms that were asked to make way, or to leave so that their host may rest. */
  others: readonly string[];
  budget: FleetBudget;
}

/** A line as it is recorded. */
export type RecordedLine = TraceLine<ExplainedVerdict | Verdict | FleetAnswer>;
