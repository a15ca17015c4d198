/**
 * Bounds on a player's estimates that cost less than the estimates: the least towards any host of a neighbourhood, and
 * how far any can have fallen since an earlier fit.
 */
import { HEIGHT } from "./node-space.js";
import {
  ACCESS_MS,
  ALPHA,
  CELL_MOST,
  CONSTANT,
  FARTHEST,
  FREE_MS,
  HEADER,
  isUsable,
  MEASURED,
  MIN_RTT_MS,
  MOST_KRIGED,
  NEGATIVE,
  type PlayerModel,
  SAMPLE,
  sharedPath,
} from "./player-model.js";

/** Hosts within `radiusMs` of a point in coordinates, none lower than `heightMs`. */
export interface Neighbourhood {
  x: number;
  y: number;
  z: number;
  radiusMs: number;
  heightMs: number;
}

/** No estimate of a host there is below this, ms: looser than the next, and without looking at any measured host. */
export function roughEstimateMs(m: PlayerModel, { x, y, z, radiusMs, heightMs }: Neighbourhood): number {
  if (!isUsable(m)) return ACCESS_MS;
  const predictedMs = Math.max(0, distance(m, 0, x, y, z) - radiusMs) + (m[HEIGHT] ?? 0) + heightMs;
  return leastByResidualMs(predictedMs, -(m[NEGATIVE] ?? 0));
}

/** No estimate of a host there is below this, ms. */
export function leastEstimateMs(m: PlayerModel, { x, y, z, radiusMs, heightMs }: Neighbourhood): number {
  if (!isUsable(m)) return ACCESS_MS;
  const apartMs = distance(m, 0, x, y, z);
  const predictedMs = Math.max(0, apartMs - radiusMs) + (m[HEIGHT] ?? 0) + heightMs;
  let residual = (m[CONSTANT] ?? 0) - (m[CELL_MOST] ?? 0);
  const end = HEADER + Math.min(MOST_KRIGED, m[MEASURED] ?? 0) * SAMPLE;
  for (let at = HEADER; at < end; at += SAMPLE) {
    const alpha = m[at + ALPHA] ?? 0;
    const fromMs = distance(m, at, x, y, z);
    const shareAtMs = alpha < 0 ? Math.max(0, fromMs - radiusMs) : fromMs + radiusMs;
    residual += alpha * sharedPath(shareAtMs * shareAtMs);
  }
  return leastByResidualMs(predictedMs, residual);
}

function leastByResidualMs(predictedMs: number, residual: number): number {
  // A residual below zero counts more the farther off the host: up to where it counts for less than the way itself.
  const root = Math.max(Math.sqrt(predictedMs + FREE_MS), -residual / 2);
  return Math.max(MIN_RTT_MS, root * root - FREE_MS + residual * root);
}

/**
 * The largest root that a residual is multiplied with, towards hosts estimated at most at `mostMs` at any time since the
 * record was last unbroken.
 */
export function largestRoot(m: PlayerModel, mostMs: number): number {
  const farthest = Math.sqrt((m[FARTHEST] ?? 0) + FREE_MS);
  if (mostMs === Number.POSITIVE_INFINITY) return farthest;
  const negative = m[NEGATIVE] ?? 0;
  return Math.min(farthest, (negative + Math.sqrt(negative * negative + 4 * (mostMs + FREE_MS))) / 2);
}

function distance(m: Float64Array, at: number, x: number, y: number, z: number): number {
  const dx = (m[at] ?? 0) - x;
  const dy = (m[at + 1] ?? 0) - y;
  const dz = (m[at + 2] ?? 0) - z;
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}
