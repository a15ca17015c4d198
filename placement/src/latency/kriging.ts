/** The linear algebra of estimates: what a player's measured hosts say together, and how sure that is. */
import { STRIDE } from "./node-space.js";
import {
  HEADER,
  MEASURED,
  MOST_KRIGED,
  OWN_SHARE,
  type PlayerModel,
  priorErrorMs,
  RESIDUAL_SD,
  SAMPLE,
  sharedPath,
} from "./player-model.js";

/** Share that two hosts at one place do not share, and noise. */
const NUGGET = 0.15;
const LEAST_VARIANCE = 0.02;
/** So many residuals of the usual spread are believed of a player before the first. */
const PRIOR_RESIDUALS = 3;

/**
 * Standard deviation of an estimate, ms: the prior, less what the measured hosts explain.
 * @param factor of the same record
 */
export function krigedErrorMs(
  m: PlayerModel,
  factor: Float64Array,
  hosts: Float64Array,
  slot: number,
  rttMs: number,
): number {
  const kriged = Math.min(MOST_KRIGED, m[MEASURED] ?? 0);
  const shared = new Float64Array(kriged);
  for (let s = 0; s < kriged; s++) shared[s] = covariance(m, HEADER + s * SAMPLE, hosts, slot * STRIDE);
  solveLower(factor, kriged, shared);
  let explained = 0;
  for (const v of shared) explained += v * v;
  return priorErrorMs(rttMs) * Math.sqrt(Math.max(LEAST_VARIANCE, 1 - explained));
}

function covariance(a: Float64Array, i: number, b: Float64Array, j: number): number {
  let square = 0;
  for (let d = 0; d < 3; d++) square += ((a[i + d] ?? 0) - (b[j + d] ?? 0)) ** 2;
  return OWN_SHARE + (1 - OWN_SHARE) * sharedPath(square);
}

/** Cholesky factor of the covariance of the measured hosts' residuals, lower, row by row. */
export function factorOf(m: PlayerModel): Float64Array {
  const n = Math.min(MOST_KRIGED, m[MEASURED] ?? 0);
  return factorInto(m, new Float64Array((n * (n + 1)) / 2));
}

/** Room for the factor of any record. */
export const LARGEST_FACTOR = (MOST_KRIGED * (MOST_KRIGED + 1)) / 2;

/** The same, in scratch that is large enough. */
export function factorInto(m: PlayerModel, factor: Float64Array): Float64Array {
  const n = Math.min(MOST_KRIGED, m[MEASURED] ?? 0);
  for (let i = 0; i < n; i++) {
    const row = (i * (i + 1)) / 2;
    for (let j = 0; j <= i; j++) {
      const other = (j * (j + 1)) / 2;
      let sum = covariance(m, HEADER + i * SAMPLE, m, HEADER + j * SAMPLE) + (i === j ? NUGGET : 0);
      for (let k = 0; k < j; k++) sum -= (factor[row + k] ?? 0) * (factor[other + k] ?? 0);
      factor[row + j] = i === j ? Math.sqrt(sum) : sum / (factor[other + j] ?? 1);
    }
  }
  return factor;
}

/** @param whitened residuals, the factor's inverse applied, in roots of ms */
export function spreadOfWhitened(whitened: Float64Array, count: number): number {
  let squares = 0;
  for (let s = 0; s < count; s++) squares += (whitened[s] ?? 0) ** 2;
  return Math.sqrt((squares / RESIDUAL_SD ** 2 + PRIOR_RESIDUALS) / (count + PRIOR_RESIDUALS));
}

export function solveLower(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const row = (i * (i + 1)) / 2;
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (factor[row + k] ?? 0) * (b[k] ?? 0);
    b[i] = sum / (factor[row + i] ?? 1);
  }
}

export function solveUpper(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i] ?? 0;
    for (let k = i + 1; k < n; k++) sum -= (factor[(k * (k + 1)) / 2 + i] ?? 0) * (b[k] ?? 0);
    b[i] = sum / (factor[(i * (i + 1)) / 2 + i] ?? 1);
  }
}
