/** `r` of a player at a host: what it measured there, else what is estimated, made dearer by some doubt. */
import { largestRoot, type leastEstimateMs, type Neighbourhood } from "../latency/estimate-bound.js";
import type { LatencyMap } from "../latency/latency-map.js";
import {
  FREE_MS,
  isUsable,
  measuredErrorMs,
  measuredP50Ms,
  measuredTailMs,
  PLACE_FALL,
  type PlayerModel,
  priorErrorMs,
  RESIDUAL_FALL,
  RESIDUAL_SD,
  TAIL_FALL,
  tailShareOf,
  usualTailMs,
} from "../latency/player-model.js";
import { tailBaseMs } from "../latency/tail.js";

export interface ScoreWeights {
  tailWeight: number;
  doubt: number;
}

/**
 * @param model of the player, undefined if it is not known
 * @param at where the record has the host, -1 if it was not measured
 */
export function playerScoreMs(
  map: LatencyMap,
  model: PlayerModel | undefined,
  slot: number,
  at: number,
  weights: ScoreWeights,
): number {
  if (model === undefined) return map.estimate("", "").p50Ms;
  if (at >= 0) return measuredScoreMs(model, at, weights);
  return estimateScoreMs(model, map.unmeasuredMs(model, slot), weights);
}

/** Standard error of a round trip that was not measured. */
export const UNMEASURED = -1;

/** Standard error of what was measured at this place of the record, ms; or `UNMEASURED`. */
export const scoreErrorAt = (model: PlayerModel | undefined, at: number): number =>
  model === undefined || at < 0 ? UNMEASURED : measuredErrorMs(model, at);

/** Of a host it has measured. */
export const measuredScoreMs = (model: PlayerModel, at: number, { tailWeight }: ScoreWeights): number =>
  measuredP50Ms(model, at) + tailWeight * measuredTailMs(model, at);

/** Of a host it has not measured; grows with the estimate. */
function estimateScoreMs(model: PlayerModel, rttMs: number, { tailWeight, doubt }: ScoreWeights): number {
  return isUsable(model)
    ? rttMs + tailWeight * usualTailMs(model, rttMs) + doubt * priorErrorMs(rttMs)
    : rttMs * (1 + doubt);
}

/** No host of a neighbourhood that it has not measured scores below this. */
export function leastScoreMs(
  map: LatencyMap,
  model: PlayerModel | undefined,
  where: Neighbourhood,
  weights: ScoreWeights,
  estimateMs: typeof leastEstimateMs,
): number {
  if (model === undefined) return map.estimate("", "").p50Ms;
  return estimateScoreMs(model, estimateMs(model, where), weights);
}

/** How far what an estimate is made from had fallen when a record was looked at: so many numbers. */
export const FALL_MARK = 3;

/** Takes them down from there on. */
export function markFalls(model: PlayerModel, into: Float64Array, at: number): void {
  into[at] = model[PLACE_FALL] ?? 0;
  into[at + 1] = model[RESIDUAL_FALL] ?? 0;
  into[at + 2] = model[TAIL_FALL] ?? 0;
}

/** Share by which falls may carry a host that counts beyond `mostMs` at some time before. */
const LEEWAY = 0.5;

/**
 * How far the score of any host that it has not measured may have fallen since {@link markFalls}, of those below `mostMs`
 * now; the record must be unbroken since.
 * @param marks and `at`: where that was taken down
 */
export function fallSinceMs(
  model: PlayerModel,
  marks: Float64Array,
  at: number,
  mostMs: number,
  { tailWeight, doubt }: ScoreWeights,
): number {
  const placeMs = (model[PLACE_FALL] ?? 0) - (marks[at] ?? 0);
  const residual = (model[RESIDUAL_FALL] ?? 0) - (marks[at + 1] ?? 0);
  const tail = (model[TAIL_FALL] ?? 0) - (marks[at + 2] ?? 0);
  if (placeMs === 0 && residual === 0 && tail === 0) return 0;
  const beforeMs = mostMs * (1 + LEEWAY);
  const estimateMs = placeMs + (residual > 0 ? residual * largestRoot(model, beforeMs) : 0);
  const perMs =
    1 + tailWeight * (tailShareOf(model) + tail) + (doubt * RESIDUAL_SD) / (2 * Math.sqrt(FREE_MS));
  const fallMs = estimateMs * perMs + (tail > 0 ? tailWeight * tail * tailBaseMs(beforeMs) : 0);
  return fallMs > mostMs * LEEWAY ? Number.POSITIVE_INFINITY : fallMs;
}
