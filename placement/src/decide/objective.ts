/**
 * What makes a host good for a set of players.
 *
 * `r = p50 + k (p95 - p50)` per player; `J = (1-a) mean r + a max r + l load` (blend, the default). Others put
 * the same numbers together differently.
 */

import type { WorkTime } from "./work.js";

export type ObjectiveName = "blend" | "mean" | "minimax" | "fair" | "pairwise";

export interface ObjectiveParameters {
  objective: ObjectiveName;
  /** a: how much the worst-off player counts against the mean. */
  worstWeight: number;
  /** k: how much of a player's p95 counts. */
  tailWeight: number;
  /** l: ms that a fully loaded host costs. */
  loadWeightMs: number;
  /** ms of latency that a unit of money per hour of a host is worth. */
  moneyWeightMs: number;
  /** ms that waking a host without rooms is worth: energy saved by letting it sleep. */
  wakeWeightMs: number;
}

interface Paid {
  load: number;
  rooms: number;
  costPerHour?: number;
}

/**
 * What a host costs beside its players' latency, ms; never negative. An empty one would rest: it is paid for anew.
 * @param work of the room there, which says more of the load than its weight does
 */
export function hostCostMs(host: Paid, o: ObjectiveParameters, work?: WorkTime): number {
  const hourMs = o.moneyWeightMs * (host.costPerHour ?? 0);
  const restMs = host.rooms === 0 ? restingMs(host, o) : 0;
  if (work === undefined) return Math.max(0, o.loadWeightMs * host.load + hourMs + restMs);
  return Math.max(0, hourMs + restMs) + work.workMs + work.crowdingMs;
}

/** What it is worth that a host rests, ms.player. */
export function restingMs(host: Paid, o: ObjectiveParameters): number {
  return o.wakeWeightMs + o.moneyWeightMs * (host.costPerHour ?? 0);
}

export interface Score {
  /** J, ms. */
  scoreMs: number;
  meanMs: number;
  maxMs: number;
}

/**
 * @param rttsMs r of each player
 * @param weights of the players, same length; all 1 if not given
 * @param hostMs what the host costs beside them, `hostCostMs`
 */
export function score(
  rttsMs: Float64Array,
  weights: Float64Array | undefined,
  hostMs: number,
  o: ObjectiveParameters,
): Score {
  const count = rttsMs.length;
  if (count === 0) return { scoreMs: hostMs, meanMs: 0, maxMs: 0 };
  let sum = 0;
  let weight = 0;
  let max = 0;
  for (let i = 0; i < count; i++) {
    const r = rttsMs[i] ?? 0;
    const w = weights?.[i] ?? 1;
    sum += w * r;
    weight += w;
    if (r > max) max = r;
  }
  const mean = sum / weight;
  return { scoreMs: combine(o, mean, max, rttsMs, weights) + hostMs, meanMs: mean, maxMs: max };
}

function combine(
  o: ObjectiveParameters,
  mean: number,
  max: number,
  rttsMs: Float64Array,
  weights: Float64Array | undefined,
): number {
  switch (o.objective) {
    case "blend":
      return (1 - o.worstWeight) * mean + o.worstWeight * max;
    case "mean":
      return mean;
    case "minimax":
      return max;
    // Mean plus the spread around it: nobody should be far worse off than the others.
    case "fair":
      return mean + spreadMs(rttsMs, weights, mean);
    // A message from one player to another passes the host: the mean over pairs of (r_p + r_q) / 2 is the
    // mean again, so what matters for pairs is the worst pair.
    case "pairwise":
      return (1 - o.worstWeight) * mean + o.worstWeight * worstPairMs(rttsMs);
    default: {
      const never: never = o.objective;
      throw new RangeError(`unknown objective ${String(never)}`);
    }
  }
}

/** Standard deviation, from the deviations themselves: a difference of squares has no digits left where all are alike. */
function spreadMs(rttsMs: Float64Array, weights: Float64Array | undefined, mean: number): number {
  let squares = 0;
  let weight = 0;
  for (let i = 0; i < rttsMs.length; i++) {
    const w = weights?.[i] ?? 1;
    squares += w * ((rttsMs[i] ?? 0) - mean) ** 2;
    weight += w;
  }
  return Math.sqrt(squares / weight);
}

/** J is at least so much of the players' mean and so much of the largest round trip together, whatever the host. */
export function leastShares(o: ObjectiveParameters, weighted: boolean): { mean: number; max: number } {
  // By weights the mean may lie above the worst pair, which is at least half of the largest.
  if (o.objective === "pairwise" && weighted) return { mean: 1 - o.worstWeight, max: o.worstWeight / 2 };
  const max = worstShare(o);
  return { mean: 1 - max, max };
}

/** Weight of the largest round trip in J, next to that of the mean. */
export function worstShare(o: ObjectiveParameters): number {
  return o.objective === "blend" ? o.worstWeight : o.objective === "minimax" ? 1 : 0;
}

/**
 * Standard error of J from those of the round trips, ms: independent in the mean, that of the worst-off player
 * for the rest, added up so that it is rather too large.
 */
export function scoreErrorMs(
  rttsMs: Float64Array,
  errorsMs: Float64Array,
  weights: Float64Array | undefined,
  o: ObjectiveParameters,
): number {
  let squares = 0;
  let weight = 0;
  let worst = 0;
  for (let i = 0; i < rttsMs.length; i++) {
    const w = weights?.[i] ?? 1;
    squares += (w * (errorsMs[i] ?? 0)) ** 2;
    weight += w;
    if ((rttsMs[i] ?? 0) > (rttsMs[worst] ?? 0)) worst = i;
  }
  if (weight === 0) return 0;
  const share = o.objective === "mean" ? 0 : o.objective === "minimax" ? 1 : o.worstWeight;
  return ((1 - share) * Math.sqrt(squares)) / weight + share * (errorsMs[worst] ?? 0);
}

function worstPairMs(rttsMs: Float64Array): number {
  let first = 0;
  let second = 0;
  for (const r of rttsMs) {
    if (r > first) {
      second = first;
      first = r;
    } else if (r > second) second = r;
  }
  return rttsMs.length < 2 ? first : (first + second) / 2;
}
