/** Runs every policy through the same rooms and compares each with what was best in hindsight. */
import { explainVerdict } from "../decide/explain.js";
import { HostTable } from "../decide/host-table.js";
import type { MoveCosts } from "../decide/migration-cost.js";
import {
  DEFAULT_PARAMETERS,
  type HostView,
  type PlacementParameters,
  type Verdict,
} from "../decide/types.js";
import { LatencyMap } from "../latency/latency-map.js";
import { quantile } from "../latency/quantile.js";
import { checkSlices, type RttMatrix } from "../matrix/rtt-matrix.js";
import { argmin, BASELINES, type Baseline, chooseBaseline } from "./baselines.js";
import { EngineRoom, type Ping } from "./engine-player.js";
import { type Random, seededRandom } from "./random.js";
import { ABSENT, makeTrace, type RoomTrace, SCENARIOS, type Scenario } from "./scenario.js";
import { bestPath, type CostTable, costTable, pathCost, ratio, sliceAt, trueScoreMs } from "./truth.js";

export const POLICIES = [...BASELINES, "greedy", "never", "centroid", "oracle"] as const;
export type PolicyName = (typeof POLICIES)[number];

export interface SimulationParameters {
  hosts: number;
  rooms: number;
  minPlayers: number;
  maxPlayers: number;
  /** `mixed` takes one after the other. */
  scenario: Scenario | "mixed";
  seed: number;
  policies: readonly PolicyName[];
  /** ms.player.step per move. */
  migrationCost: number;
  steps: number;
  /** Relative standard deviation of a ping. */
  noise: number;
  /** Confirming probes per player and place. */
  probes: number;
}

export const DEFAULT_SIMULATION: SimulationParameters = {
  hosts: 24,
  rooms: 100,
  minPlayers: 4,
  maxPlayers: 16,
  scenario: "mixed",
  seed: 1,
  policies: POLICIES,
  migrationCost: 1_500,
  steps: 600,
  noise: 0.05,
  probes: 4,
};

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

export class SimulationError extends Error {
  readonly code = "SIMULATION_INVALID";
}

/** One policy's way through one room, for those who want to see it. */
export interface RoomRun {
  room: number;
  trace: RoomTrace;
  policy: PolicyName;
  path: Int32Array;
  /** What was true, for whoever draws it. */
  table: CostTable;
  /** The engine's moves, with why. */
  decisions: readonly (Verdict & { text: string })[];
}

/**
 * @param onRun sees every policy's path through every room
 * @throws SimulationError, MatrixError
 */
export function simulate(
  slices: readonly RttMatrix[],
  options: Partial<SimulationParameters> = {},
  engine: Partial<PlacementParameters> = {},
  onRun?: (run: RoomRun) => void,
): SimulationReport {
  checkSlices(slices);
  const p = { ...DEFAULT_SIMULATION, ...options };
  const size = slices[0]?.size ?? 0;
  check(p, size);
  const random = seededRandom(p.seed);
  const nodes = random.shuffled(Array.from({ length: size }, (_, i) => i));
  const hosts = nodes.slice(0, p.hosts);
  const players = nodes.slice(p.hosts);
  // Those who played before train the hosts' coordinates; rooms are of others, where there are enough.
  const enough = players.length >= 4 * p.maxPlayers;
  const before = enough ? players.filter((_, i) => i % 2 === 0) : players;
  const fresh = enough ? players.filter((_, i) => i % 2 === 1) : players;

  const views = hosts.map(
    (_, h): HostView => ({
      hostId: `h${String(h).padStart(4, "0")}`,
      state: "active",
      capacityRooms: Number.POSITIVE_INFINITY,
      rooms: 0,
      load: 0,
      carriers: ["process"],
      region: "",
    }),
  );
  const map = new LatencyMap();
  for (const { hostId } of views) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
  const table = new HostTable(map, views);
  train(map, views, hosts, before, slices, p.noise, seededRandom(p.seed + 1));

  // J alone is judged, so no caps; measurements here are made before each decision, so none is waited for.
  const parameters: PlacementParameters = {
    ...DEFAULT_PARAMETERS,
    capsMs: [],
    minDwellMs: 0,
    confirmedShare: 0,
    ...engine,
  };
  const costs: MoveCosts = { predict: () => p.migrationCost * MS_PER_S, learn: () => undefined };
  const tallies = p.policies.map((policy) => ({
    policy,
    static: [] as number[],
    dynamic: [] as number[],
    moves: 0,
    probes: 0,
    stays: 0,
  }));

  for (let room = 0; room < p.rooms; room++) {
    const scenario = p.scenario === "mixed" ? (SCENARIOS[room % SCENARIOS.length] ?? "regional") : p.scenario;
    const [first] = slices;
    if (first === undefined) break;
    const trace = makeTrace(
      { ...p, matrix: first, nodes: fresh, scenario },
      seededRandom(p.seed * 7919 + room),
    );
    const truth = costTable(trace, hosts, slices);
    const best = bestPath(truth, p.migrationCost);
    const optimum = pathCost(truth, best, p.migrationCost);
    const start = trace.nodes.subarray(0, trace.seats);
    const bestStart = trueScoreMs(
      first,
      start,
      hosts[argmin(hosts.length, (h) => trueScoreMs(first, start, hosts[h] ?? 0))] ?? 0,
    );
    for (const tally of tallies) {
      // Every policy meets the same noise from the start.
      const noise = seededRandom(p.seed * 104_729 + room);
      const pingAt = (step: number): Ping => {
        const { rttMs, size: width } = sliceAt(slices, step, p.steps);
        return (node, h) => noisy(rttMs[node * width + (hosts[h] ?? 0)] ?? 0, p.noise, noise);
      };
      let path: Int32Array;
      const decisions: (Verdict & { text: string })[] = [];
      if (tally.policy === "centroid") {
        const engineRoom = new EngineRoom({
          hosts: table,
          parameters,
          costs,
          probes: p.probes,
          roomId: `r${room}`,
        });
        path = Int32Array.from({ length: p.steps }, (_, step) => {
          const at = trace.nodes.subarray(step * trace.seats, (step + 1) * trace.seats);
          const host = engineRoom.step(step, at, pingAt(step));
          const { last } = engineRoom;
          if (last?.verdict === "move")
            decisions.push({ ...last, text: explainVerdict(last, last.contenders, present(at)) });
          return host;
        });
        tally.probes += engineRoom.confirming;
        tally.stays += engineRoom.stays;
        engineRoom.close();
      } else
        path = tally.policy === "oracle" ? best : baselinePath(tally.policy, trace, hosts.length, pingAt);
      // The oracle of one moment is the best start; its path is the cheapest of all.
      const startScore =
        tally.policy === "oracle" ? bestStart : trueScoreMs(first, start, hosts[path[0] ?? 0] ?? 0);
      tally.static.push(ratio(startScore, bestStart));
      tally.dynamic.push(ratio(pathCost(truth, path, p.migrationCost), optimum));
      for (let step = 1; step < p.steps; step++) if (path[step] !== path[step - 1]) tally.moves++;
      onRun?.({ room, trace, policy: tally.policy, path, table: truth, decisions });
    }
  }
  return {
    parameters: { ...p, nodes: size, slices: slices.length },
    policies: tallies.map((t) => ({
      policy: t.policy,
      staticMean: mean(t.static),
      staticP95: quantile(Float64Array.from(t.static).sort(), 0.95),
      dynamicMean: mean(t.dynamic),
      dynamicP95: quantile(Float64Array.from(t.dynamic).sort(), 0.95),
      migrations: t.moves / p.rooms,
      probesPerPlayer:
        t.policy === "centroid" ? t.probes / Math.max(1, t.stays) : t.policy === "oracle" ? 0 : p.hosts,
    })),
  };
}

const MS_PER_S = 1_000;
/** Hosts each earlier player measured. */
const TRAINING_PROBES = 9;
const TRAINING_PASSES = 100;
const LEAST_PING_SHARE = 0.2;

function train(
  map: LatencyMap,
  views: readonly HostView[],
  hosts: readonly number[],
  nodes: readonly number[],
  slices: readonly RttMatrix[],
  noise: number,
  random: Random,
): void {
  const [matrix] = slices;
  if (matrix === undefined) return;
  for (const node of nodes) {
    const playerId = `before ${node}`;
    map.upsertPlayer({ playerId });
    for (const h of random.shuffled(views.map((_, index) => index)).slice(0, TRAINING_PROBES)) {
      const rttMs = noisy(matrix.rttMs[node * matrix.size + (hosts[h] ?? 0)] ?? 0, noise, random);
      map.addProbe({ playerId, hostId: views[h]?.hostId ?? "", atMs: 0, rttMs });
    }
  }
  map.refine(TRAINING_PASSES);
}

/** Greedy follows every measurement; the others choose once, at the start. */
function baselinePath(
  policy: Baseline | "greedy" | "never",
  trace: RoomTrace,
  hosts: number,
  pingAt: (step: number) => Ping,
): Int32Array {
  const measure = (step: number): { players: number; hosts: number; rttMs: Float64Array } => {
    const ping = pingAt(step);
    const present = [...trace.nodes.subarray(step * trace.seats, (step + 1) * trace.seats)].filter(
      (node) => node !== ABSENT,
    );
    const rttMs = new Float64Array(present.length * hosts);
    present.forEach((node, i) => {
      for (let h = 0; h < hosts; h++) rttMs[i * hosts + h] = ping(node, h);
    });
    return { players: present.length, hosts, rttMs };
  };
  const lowestScore = (step: number): number => {
    const m = measure(step);
    const one: RttMatrix = { size: hosts, labels: [], rttMs: m.rttMs };
    const everyone = Array.from({ length: m.players }, (_, i) => i);
    return argmin(hosts, (h) => trueScoreMs(one, everyone, h));
  };
  if (policy === "greedy") return Int32Array.from({ length: trace.steps }, (_, step) => lowestScore(step));
  const start = policy === "never" ? lowestScore(0) : chooseBaseline(policy, measure(0));
  return new Int32Array(trace.steps).fill(start);
}

function noisy(rttMs: number, noise: number, random: Random): number {
  return noise === 0 ? rttMs : rttMs * Math.max(LEAST_PING_SHARE, 1 + noise * random.normal());
}

const present = (at: Int32Array): number => at.filter((node) => node !== ABSENT).length;

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

function check(p: SimulationParameters, nodes: number): void {
  const whole = (name: keyof SimulationParameters, least: number): void => {
    const value = p[name];
    if (typeof value !== "number" || !Number.isInteger(value) || value < least)
      throw new SimulationError(
        `${name} is ${String(value)}; it must be a whole number of at least ${least}`,
      );
  };
  whole("hosts", 1);
  whole("rooms", 1);
  whole("steps", 1);
  whole("minPlayers", 1);
  whole("maxPlayers", p.minPlayers);
  whole("probes", 0);
  whole("seed", 0);
  if (!(p.migrationCost >= 0))
    throw new SimulationError(`migrationCost is ${p.migrationCost}; it must be at least 0`);
  if (!(p.noise >= 0 && p.noise <= 1))
    throw new SimulationError(`noise is ${p.noise}; it must be between 0 and 1`);
  if (p.hosts >= nodes)
    throw new SimulationError(
      `${p.hosts} hosts leave none of the matrix's ${nodes} nodes to players; take fewer hosts`,
    );
}
