/** What was true: J from the raw matrix, the best host of a moment, and the offline optimum with paid moves. */
import { DEFAULT_PARAMETERS } from "../decide/types.js";
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import type { SimulatedMachines } from "./machines.js";
import { ABSENT, type RoomTrace } from "./scenario.js";

/** Below this, ratios of round trips say nothing. */
const LEAST_J_MS = 0.1;

/** J of every host at every step of a trace, times the players present: `costs[step * hosts + host]`. */
export interface CostTable {
  hosts: number;
  steps: number;
  /** ms.player per step. */
  costs: Float64Array;
  /** Players present at each step. */
  players: Int32Array;
}

/**
 * @param slices of the matrix, spread evenly over the steps
 * @param machines where rooms have work
 */
export function costTable(
  trace: RoomTrace,
  hosts: readonly number[],
  slices: readonly RttMatrix[],
  machines?: SimulatedMachines,
): CostTable {
  const { steps, seats, nodes } = trace;
  const costs = new Float64Array(steps * hosts.length);
  const players = new Int32Array(steps);
  for (let step = 0; step < steps; step++) {
    const matrix = sliceAt(slices, step, steps);
    const at = nodes.subarray(step * seats, (step + 1) * seats);
    const sameLoads = machines === undefined || machines.period(step) === machines.period(step - 1);
    if (
      step > 0 &&
      sameLoads &&
      matrix === sliceAt(slices, step - 1, steps) &&
      sameStep(nodes, step, seats)
    ) {
      costs.copyWithin(step * hosts.length, (step - 1) * hosts.length, step * hosts.length);
      players[step] = players[step - 1] ?? 0;
      continue;
    }
    let present = 0;
    for (const node of at) if (node !== ABSENT) present++;
    players[step] = present;
    hosts.forEach((host, h) => {
      const scoreMs = trueScoreMs(matrix, at, host) + (machines?.workMs(h, step) ?? 0);
      costs[step * hosts.length + h] = present * scoreMs;
    });
  }
  return { hosts: hosts.length, steps, costs, players };
}

export function sliceAt(slices: readonly RttMatrix[], step: number, steps: number): RttMatrix {
  const slice = slices[Math.floor((step * slices.length) / Math.max(1, steps))];
  if (slice === undefined) throw new RangeError("no matrix");
  return slice;
}

/** The default objective without load: half the mean, half the worst round trip of those present, ms. */
export function trueScoreMs(matrix: RttMatrix, at: ArrayLike<number>, host: number): number {
  let sum = 0;
  let max = 0;
  let present = 0;
  for (let seat = 0; seat < at.length; seat++) {
    const node = at[seat] ?? ABSENT;
    if (node === ABSENT) continue;
    const rttMs = matrix.rttMs[node * matrix.size + host] ?? 0;
    sum += rttMs;
    if (rttMs > max) max = rttMs;
    present++;
  }
  if (present === 0) return 0;
  const worst = DEFAULT_PARAMETERS.worstWeight;
  return (1 - worst) * (sum / present) + worst * max;
}

/** J / J*, at least 1. */
export const ratio = (scoreMs: number, bestMs: number): number =>
  Math.max(scoreMs, LEAST_J_MS) / Math.max(bestMs, LEAST_J_MS);

/** Cost of a path of hosts: what the players waited, plus a price per move. */
export function pathCost(table: CostTable, path: ArrayLike<number>, moveCost: number): number {
  let cost = 0;
  for (let step = 0; step < table.steps; step++) {
    const host = path[step] ?? 0;
    cost += table.costs[step * table.hosts + host] ?? 0;
    if (step > 0 && host !== path[step - 1]) cost += moveCost;
  }
  return cost;
}

/**
 * The cheapest path of hosts in hindsight (dynamic programme over steps and hosts, O(steps x hosts): a move is
 * only ever worth making from the cheapest host of the step before).
 */
export function bestPath(table: CostTable, moveCost: number): Int32Array {
  const { hosts, steps, costs } = table;
  const from = new Int32Array(steps * hosts);
  let least = costs.slice(0, hosts);
  for (let step = 1; step < steps; step++) {
    let cheapest = 0;
    for (let h = 1; h < hosts; h++) if ((least[h] ?? 0) < (least[cheapest] ?? 0)) cheapest = h;
    const moved = (least[cheapest] ?? 0) + moveCost;
    const now = new Float64Array(hosts);
    for (let h = 0; h < hosts; h++) {
      const stay = least[h] ?? 0;
      from[step * hosts + h] = stay <= moved ? h : cheapest;
      now[h] = Math.min(stay, moved) + (costs[step * hosts + h] ?? 0);
    }
    least = now;
  }
  const path = new Int32Array(steps);
  let at = 0;
  for (let h = 1; h < hosts; h++) if ((least[h] ?? 0) < (least[at] ?? 0)) at = h;
  for (let step = steps - 1; step >= 0; step--) {
    path[step] = at;
    at = from[step * hosts + at] ?? at;
  }
  return path;
}

function sameStep(nodes: Int32Array, step: number, seats: number): boolean {
  for (let seat = 0; seat < seats; seat++)
    if (nodes[step * seats + seat] !== nodes[(step - 1) * seats + seat]) return false;
  return true;
}
