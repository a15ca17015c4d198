/** Where a room should run, when it should move, and why. Pure: no I/O, no clock, no randomness of its own. */

export type { MovePrice } from "./decide/calm.js";
export { explainDecision, explainVerdict } from "./decide/explain.js";
export { type Found, HostTable } from "./decide/host-table.js";
export {
  type ExpectedMove,
  type FinishedMove,
  MigrationCosts,
  type MoveCosts,
} from "./decide/migration-cost.js";
export type { ObjectiveName, ObjectiveParameters } from "./decide/objective.js";
export { LEAST_WEIGHT, MOST_WEIGHT, type PlayerTraffic, PlayerWeights } from "./decide/player-weights.js";
export { type Migrated, placeRoom, RoomPolicy } from "./decide/room-policy.js";
export { SearchMemo } from "./decide/search-memo.js";
export type { RoomTie } from "./decide/ties.js";
export {
  DEFAULT_PARAMETERS,
  type DecisionCandidate,
  type DecisionReason,
  type ExplainedVerdict,
  type FeltFreeze,
  type HostView,
  type PlacementParameters,
  type Rejection,
  type RoomView,
  type Verdict,
} from "./decide/types.js";
export {
  busyMsPerSecond,
  type HostSpeed,
  type HostWork,
  type RoomDemand,
  slowdown,
  type WorkTime,
  workOf,
  workTimeAt,
} from "./decide/work.js";
export {
  assignFleet,
  type FleetHost,
  type FleetLimits,
  type FleetMove,
  type FleetPlan,
  type FleetRoom,
} from "./fleet/assign.js";
export { type FleetBudget, linkKey, linkMovesLeft, movesLeft } from "./fleet/budget.js";
export { consolidate } from "./fleet/consolidate.js";
export {
  type FleetAnswer,
  type FleetQuestion,
  type FleetReason,
  type PlannedMove,
  planMoves,
} from "./fleet/plan-moves.js";
export { geodesicRttMs, type Place } from "./latency/geodesic.js";
export { LatencyMap } from "./latency/latency-map.js";
export { quantile, quantileOf } from "./latency/quantile.js";
export type {
  Estimate,
  HostPlace,
  PlayerPlace,
  Probe,
  ProbeRejection,
  ProbeVerdict,
} from "./latency/types.js";
export {
  bestHostByWays,
  type HostByWays,
  type Leg,
  type Legs,
  legsOf,
  type PlayerWay,
  shortestWay,
  type WaysOptions,
} from "./latency/ways.js";
export { MatrixError, type MatrixErrorCode } from "./matrix/matrix-error.js";
export { MISSING_RULES, type MissingRule } from "./matrix/missing.js";
export {
  describeUnderstood,
  type ReadOptions,
  type ReadSlices,
  type RttFile,
  readRttMatrix,
  readRttSlices,
  type Understood,
} from "./matrix/read-matrix.js";
export { checkSlices, type RttMatrix } from "./matrix/rtt-matrix.js";
export { RTT_UNITS, type RttUnit } from "./matrix/unit.js";
export { PlacementWorld, type Recording } from "./placement-world.js";
export { type Confirmation, nextConfirmation } from "./probing/confirm.js";
export { DEFAULT_PROBING } from "./probing/probe-planner.js";
export { type Random, seededRandom } from "./random/random.js";
export { Replay, type ReplayDifference, replay, TraceError } from "./replay/replay.js";
export { type PageData, type PageMove, type PageRoom, SimulationPage } from "./report/page.js";
export {
  DEFAULT_SIMULATION,
  POLICIES,
  type PolicyName,
  SimulationError,
  type SimulationParameters,
  WORK_POLICIES,
} from "./simulate/parameters.js";
export {
  DEFAULT_PORTALS,
  PORTAL_POLICIES,
  type PortalParameters,
  type PortalPolicy,
  type PortalResult,
  simulatePortals,
} from "./simulate/portals.js";
export { ABSENT, type RoomTrace, SIMULATED_SCENARIOS, type SimulatedTrace } from "./simulate/scenario.js";
export {
  type EngineRun,
  type ExplainedMove,
  engineSteps,
  movesOf,
  type PolicyResult,
  type RoomRun,
  type SimulationReport,
  simulate,
} from "./simulate/simulate.js";
export { nodesAt, SimulationStage, simulatedHostId } from "./simulate/stage.js";
export {
  DEFAULT_TALKERS,
  simulateTalkers,
  TALKER_POLICIES,
  type TalkerParameters,
  type TalkerPolicy,
  type TalkerResult,
} from "./simulate/talkers.js";
export { bestPath, type CostTable, pathCost } from "./simulate/truth.js";
export {
  type RecordedLine,
  type RoomFacts,
  TRACE_VERSION,
  type TraceInput,
  type TraceLine,
} from "./trace/trace.js";
