/** Runs every policy through the same rooms and compares each with what was best in hindsight. */
import { explainVerdict } from "../decide/explain.js";
import type { HostTable } from "../decide/host-table.js";
import type { PlacementParameters, Verdict } from "../decide/types.js";
import { quantileOf } from "../latency/quantile.js";
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import {
  DEFAULT_SIMULATION,
  POLICIES,
  type PolicyName,
  type SimulationParameters,
  WORK_POLICIES,
} from "./parameters.js";
import { ABSENT, type RoomTrace } from "./scenario.js";
import { nodesAt, SimulationStage } from "./stage.js";
import { bestPath, type CostTable, pathCost, ratio } from "./truth.js";

export interface PolicyResult {
  policy: PolicyName;
  /** J / J* of the first placement, over rooms. */
  staticMean: number;
  staticP95: number;
  /** Cost of the whole trace, moves included, over that of the offline optimum. */
  dynamicMean: number;
  dynamicP95: number;
  /** Per room. */
  migrations: number;
  /** Confirming probes per player and place; baselines measure everything. */
  probesPerPlayer: number;
}

export interface SimulationReport {
  parameters: SimulationParameters & { nodes: number; slices: number };
  policies: PolicyResult[];
}

/** A move of the engine, with why. */
export type ExplainedMove = Verdict & { text: string };

/** One policy's way through one room, for those who want to see it. */
export interface RoomRun {
  room: number;
  trace: RoomTrace;
  policy: PolicyName;
  path: Int32Array;
  /** What was true, for whoever draws it. */
  table: CostTable;
  decisions: readonly ExplainedMove[];
}

/**
 * @param slices of the same nodes over time, spread evenly over the steps of every room
 * @param onRun sees every policy's path through every room
 * @throws SimulationError, MatrixError
 */
export function simulate(
  slices: readonly RttMatrix[],
  options: Partial<SimulationParameters> = {},
  engine: Partial<PlacementParameters> = {},
  onRun?: (run: RoomRun) => void,
): SimulationReport {
  const asked = options.work === undefined ? {} : { policies: [...WORK_POLICIES, ...POLICIES] };
  const p: SimulationParameters = { ...DEFAULT_SIMULATION, ...asked, ...options };
  const stage = new SimulationStage(slices, p);
  const hosts = stage.trained();
  const tallies = p.policies.map((policy) => ({
    policy,
    static: [] as number[],
    dynamic: [] as number[],
    moves: 0,
    probes: 0,
    stays: 0,
  }));
  for (let room = 0; room < p.rooms; room++) {
    const trace = stage.trace(room);
    const table = stage.truth(trace);
    const best = bestPath(table, p.migrationCost);
    const optimum = pathCost(table, best, p.migrationCost);
    const bestStartMs = stage.startScoreMs(trace, stage.bestStart(trace));
    for (const tally of tallies) {
      const { policy } = tally;
      let path = best;
      let decisions: ExplainedMove[] = [];
      if (policy === "centroid" || policy === "latency-only") {
        const run = playEngine(stage, room, trace, hosts, engine, policy === "centroid");
        ({ path, decisions } = run);
        tally.probes += run.probes;
        tally.stays += run.stays;
      } else if (policy !== "oracle") path = stage.baselinePath(policy, room, trace);
      // The oracle of one moment is the best start; its path is the cheapest of all.
      const startMs = policy === "oracle" ? bestStartMs : stage.startScoreMs(trace, path[0] ?? 0);
      tally.static.push(ratio(startMs, bestStartMs));
      tally.dynamic.push(ratio(pathCost(table, path, p.migrationCost), optimum));
      tally.moves += movesOf(path);
      onRun?.({ room, trace, policy, path, table, decisions });
    }
  }
  return {
    parameters: { ...p, nodes: slices[0]?.size ?? 0, slices: slices.length },
    policies: tallies.map((t) => ({
      policy: t.policy,
      staticMean: mean(t.static),
      staticP95: quantileOf(t.static, 0.95),
      dynamicMean: mean(t.dynamic),
      dynamicP95: quantileOf(t.dynamic, 0.95),
      migrations: t.moves / p.rooms,
      probesPerPlayer:
        t.policy === "centroid" || t.policy === "latency-only"
          ? t.probes / Math.max(1, t.stays)
          : t.policy === "oracle"
            ? 0
            : p.hosts,
    })),
  };
}

export interface EngineRun {
  path: Int32Array;
  decisions: ExplainedMove[];
  /** Confirming probes made, and stays of a player at a place. */
  probes: number;
  stays: number;
}

/**
 * The engine's way through a room, step by step: for callers who must not block. Returns the run.
 * @param knowsWork false if it is to choose by latency alone
 */
export function* engineSteps(
  stage: SimulationStage,
  room: number,
  trace: RoomTrace,
  hosts: HostTable,
  parameters: Partial<PlacementParameters>,
  knowsWork = true,
): Generator<number, EngineRun> {
  const engine = stage.engine(room, hosts, parameters, knowsWork ? stage.parameters.work : undefined);
  const pingAt = stage.pings(room);
  const path = new Int32Array(trace.steps);
  const decisions: ExplainedMove[] = [];
  for (let step = 0; step < trace.steps; step++) {
    const at = nodesAt(trace, step);
    if (stage.machines !== undefined) stage.machines.step = step;
    path[step] = engine.step(step, at, pingAt(step));
    const { last } = engine;
    if (last?.verdict === "move") {
      const present = at.filter((node) => node !== ABSENT).length;
      decisions.push({ ...last, text: explainVerdict(last, last.contenders, present) });
    }
    yield step;
  }
  engine.close();
  return { path, decisions, probes: engine.confirming, stays: engine.stays };
}

function playEngine(...of: Parameters<typeof engineSteps>): EngineRun {
  const steps = engineSteps(...of);
  for (;;) {
    const { done, value } = steps.next();
    if (done === true) return value;
  }
}

/** How often a path changes hosts. */
export function movesOf(path: ArrayLike<number>): number {
  let moves = 0;
  for (let step = 1; step < path.length; step++) if (path[step] !== path[step - 1]) moves++;
  return moves;
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
