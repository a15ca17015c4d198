/**
 * All that is known of one player, as one flat record that scores a host without touching anything else:
 * its coordinate, then eight numbers for each host it has measured.
 *
 * Unmeasured pairs are kriged (Krige 1951): the coordinate's prediction, plus the residuals of the measured hosts
 * weighted by how much path two hosts share. Residuals are in units of the root of the round trip, which makes
 * them equally spread near and far.
 */
import { chordRttMs } from "./geodesic.js";
import { HEIGHT, STRIDE } from "./node-space.js";
import { tailBaseMs } from "./tail.js";

/** The header: x, y, z, height as in a node; then these. */
const TAIL = 4;
const CONSTANT = 5;
const FIT = 6;
const COUNT = 7;
const CELL = 8;
const VERSION = 9;
const USABLE = 10;
/** Place on the unit sphere; NaN if none is known. */
const SPHERE = 11;
/** How often one of its hosts was measured since it was fit. */
const REMEASURED = 14;
/** How much farther apart its residuals are than usual, as a factor. */
const SPREAD = 15;
const HEADER = 16;
/** A measured host: x, y, z when it was fit, then these. */
const ALPHA = 3;
const SLOT = 4;
const P50 = 5;
const TAIL_MS = 6;
const ERROR_MS = 7;
const SAMPLE = 8;

/** Two hosts so far apart share half of what coordinates miss. */
const SHARED_REACH_MS = 40;
const SQUARED_REACH = SHARED_REACH_MS ** 2;
/** Share of what coordinates miss that is the player's own, towards any host. */
const OWN_SHARE = 0.2;
/** Share that two hosts at one place do not share, and noise. */
const NUGGET = 0.15;
/** Standard deviation of a residual, in roots of ms. */
const RESIDUAL_SD = 4;
const FREE_MS = 5;
const LEAST_VARIANCE = 0.02;
/** So many residuals of the usual spread are believed of a player before the first. */
const PRIOR_RESIDUALS = 3;
const MIN_RTT_MS = 0.1;
/** More measured hosts than these, the nearest, add nothing to an estimate but time. */
const MOST_KRIGED = 16;
/** Real paths are longer than the geodesic; the median over Internet paths is near this. */
const PATH_STRETCH = 1.9;
const ACCESS_MS = 8;
const GEODESIC_ERROR = 0.7;

export type PlayerModel = Float64Array;

/** One measured host of a player. */
export interface MeasuredHost {
  slot: number;
  p50Ms: number;
  /** The median as estimates of other hosts use it. */
  usedMs: number;
  tailMs: number;
  errorMs: number;
}

export interface ModelInput {
  /** Coordinate space of the player and its slot there. */
  at: Float64Array;
  slot: number;
  usable: boolean;
  tailShare: number;
  cell: number;
  version: number;
  sphere: readonly [number, number, number] | undefined;
  /** Nearest first. */
  measured: readonly MeasuredHost[];
  /** Coordinates of hosts as estimates use them. */
  hosts: Float64Array;
  bias: Float32Array | undefined;
  /** Serial number of this fit: two records with the same one are the same. */
  fit: number;
}

/** @param reuse a record of the same player, overwritten if it is large enough */
export function fitModel(o: ModelInput, reuse: PlayerModel | undefined): PlayerModel {
  const count = o.measured.length;
  const length = HEADER + SAMPLE * count;
  const m = reuse !== undefined && reuse.length >= length ? reuse : new Float64Array(length + 2 * SAMPLE);
  for (let d = 0; d < STRIDE; d++) m[d] = o.at[o.slot * STRIDE + d] ?? 0;
  m[TAIL] = o.tailShare;
  m[COUNT] = count;
  m[CELL] = o.cell;
  m[VERSION] = o.version;
  m[FIT] = o.fit;
  m[REMEASURED] = 0;
  m[USABLE] = o.usable ? 1 : 0;
  for (let d = 0; d < 3; d++) m[SPHERE + d] = o.sphere?.[d] ?? Number.NaN;
  const kriged = Math.min(count, MOST_KRIGED);
  const residuals = new Float64Array(kriged);
  for (let s = 0; s < count; s++) {
    const { slot, p50Ms, usedMs, tailMs, errorMs } = o.measured[s] as MeasuredHost;
    const at = HEADER + s * SAMPLE;
    for (let d = 0; d < 3; d++) m[at + d] = o.hosts[slot * STRIDE + d] ?? 0;
    m[at + ALPHA] = 0;
    m[at + SLOT] = slot;
    m[at + P50] = p50Ms;
    m[at + TAIL_MS] = tailMs;
    m[at + ERROR_MS] = errorMs;
    const predictedMs = coordinateMs(m, o.hosts, slot);
    const residual = scaledResidual(usedMs, predictedMs);
    if (s < kriged) residuals[s] = residual - (o.bias?.[slot] ?? 0);
  }
  const factor = factorOf(m);
  solveLower(factor, kriged, residuals);
  m[SPREAD] = spreadOfWhitened(residuals);
  solveUpper(factor, kriged, residuals);
  let sum = 0;
  for (let s = 0; s < kriged; s++) {
    const alpha = residuals[s] ?? 0;
    m[HEADER + s * SAMPLE + ALPHA] = (1 - OWN_SHARE) * alpha;
    sum += alpha;
  }
  m[CONSTANT] = OWN_SHARE * sum;
  return m;
}

/** A measured host was measured again: what the record says of this host alone. */
export function remeasure(m: PlayerModel, { slot, p50Ms, tailMs, errorMs }: MeasuredHost): void {
  const at = measuredAt(m, slot);
  if (at < 0) return;
  m[at + P50] = p50Ms;
  m[at + TAIL_MS] = tailMs;
  m[at + ERROR_MS] = errorMs;
  m[REMEASURED] = (m[REMEASURED] ?? 0) + 1;
}

/** What a coordinate misses of a round trip, in roots of ms. */
export const scaledResidual = (rttMs: number, predictedMs: number): number =>
  (rttMs - predictedMs) / Math.sqrt(predictedMs + FREE_MS);

/** The coordinate's prediction alone, ms. */
function coordinateMs(m: PlayerModel, hosts: Float64Array, slot: number): number {
  const h = slot * STRIDE;
  const x = (hosts[h] ?? 0) - (m[0] ?? 0);
  const y = (hosts[h + 1] ?? 0) - (m[1] ?? 0);
  const z = (hosts[h + 2] ?? 0) - (m[2] ?? 0);
  return Math.sqrt(x * x + y * y + z * z) + (m[HEIGHT] ?? 0) + (hosts[h + HEIGHT] ?? 0);
}

/** Where in the record a host's measurement is; -1 if the player has not measured it. */
export function measuredAt(m: PlayerModel, slot: number): number {
  const end = HEADER + (m[COUNT] ?? 0) * SAMPLE;
  for (let at = HEADER; at < end; at += SAMPLE) if (m[at + SLOT] === slot) return at;
  return -1;
}
export const measuredP50Ms = (m: PlayerModel, at: number): number => m[at + P50] ?? 0;
export const measuredTailMs = (m: PlayerModel, at: number): number => m[at + TAIL_MS] ?? 0;
export const measuredErrorMs = (m: PlayerModel, at: number): number => m[at + ERROR_MS] ?? 0;
export const tailShareOf = (m: PlayerModel): number => m[TAIL] ?? 0;
/** How far p95 of a path lies above p50, as the player's other paths have it, ms. */
export const usualTailMs = (m: PlayerModel, rttMs: number): number => tailShareOf(m) * tailBaseMs(rttMs);
export const cellOf = (m: PlayerModel): number => m[CELL] ?? -1;
export const versionOf = (m: PlayerModel): number => m[VERSION] ?? -1;
export const isUsable = (m: PlayerModel): boolean => m[USABLE] === 1;

/**
 * How much farther the player's measured hosts are from its coordinate than residuals usually are (Mahalanobis distance,
 * root mean square), 1 or more: where its paths are of no plan, an estimate of one more may be as far off.
 */
export const spreadOf = (m: PlayerModel): number => Math.max(1, m[SPREAD] ?? 1);
export const remeasuredOf = (m: PlayerModel): number => m[REMEASURED] ?? 0;
export const fitOf = (m: PlayerModel): number => m[FIT] ?? -1;
/** Slots of the measured hosts, nearest first, and where in the record they are. */
export function* measuredIn(m: PlayerModel): IterableIterator<{ at: number; slot: number }> {
  const end = HEADER + (m[COUNT] ?? 0) * SAMPLE;
  for (let at = HEADER; at < end; at += SAMPLE) yield { at, slot: m[at + SLOT] ?? -1 };
}

/** How much of what coordinates miss two hosts have in common, by their squared distance. */
export const sharedPath = (squaredMs: number): number => 1 / (1 + squaredMs / SQUARED_REACH);

/** Estimate of a host this player has not measured, ms. Only if `isUsable`. */
export function krigedMs(
  m: PlayerModel,
  hosts: Float64Array,
  spheres: Float64Array,
  slot: number,
  bias: Float32Array | undefined,
): number {
  const h = slot * STRIDE;
  const x = hosts[h] ?? 0;
  const y = hosts[h + 1] ?? 0;
  const z = hosts[h + 2] ?? 0;
  const px = x - (m[0] ?? 0);
  const py = y - (m[1] ?? 0);
  const pz = z - (m[2] ?? 0);
  const predictedMs = Math.sqrt(px * px + py * py + pz * pz) + (m[HEIGHT] ?? 0) + (hosts[h + HEIGHT] ?? 0);
  let residual = (m[CONSTANT] ?? 0) + (bias?.[slot] ?? 0);
  const kriged = Math.min(MOST_KRIGED, m[COUNT] ?? 0);
  const end = HEADER + kriged * SAMPLE;
  for (let at = HEADER; at < end; at += SAMPLE) {
    const dx = x - (m[at] ?? 0);
    const dy = y - (m[at + 1] ?? 0);
    const dz = z - (m[at + 2] ?? 0);
    residual += (m[at + ALPHA] ?? 0) * sharedPath(dx * dx + dy * dy + dz * dz);
  }
  const rttMs = Math.max(MIN_RTT_MS, predictedMs + residual * Math.sqrt(predictedMs + FREE_MS));
  return Number.isNaN(m[SPHERE] ?? 0) ? rttMs : Math.max(rttMs, boundMs(m, spheres, slot));
}

/**
 * `krigedMs` of every slot at once, into `row`.
 * @param kernel `sharedPath` of a slot with every other
 */
export function krigedRow(
  m: PlayerModel,
  row: Float64Array,
  end: number,
  hosts: Float64Array,
  spheres: Float64Array,
  bias: Float32Array | undefined,
  kernel: (slot: number) => Float64Array,
): void {
  const constant = m[CONSTANT] ?? 0;
  for (let slot = 0; slot < end; slot++) row[slot] = constant + (bias?.[slot] ?? 0);
  const kriged = HEADER + Math.min(MOST_KRIGED, m[COUNT] ?? 0) * SAMPLE;
  for (let at = HEADER; at < kriged; at += SAMPLE) {
    const alpha = m[at + ALPHA] ?? 0;
    const shared = kernel(m[at + SLOT] ?? 0);
    for (let slot = 0; slot < end; slot++) row[slot] = (row[slot] ?? 0) + alpha * (shared[slot] ?? 0);
  }
  const located = !Number.isNaN(m[SPHERE] ?? 0);
  for (let slot = 0; slot < end; slot++) {
    const predictedMs = coordinateMs(m, hosts, slot);
    const rttMs = Math.max(MIN_RTT_MS, predictedMs + (row[slot] ?? 0) * Math.sqrt(predictedMs + FREE_MS));
    row[slot] = located ? Math.max(rttMs, boundMs(m, spheres, slot)) : rttMs;
  }
}

/** What geography alone says of a host, ms. */
export function geodesicGuessMs(m: PlayerModel, spheres: Float64Array, slot: number): number {
  return (Number.isNaN(m[SPHERE] ?? 0) ? 0 : boundMs(m, spheres, slot) * PATH_STRETCH) + ACCESS_MS;
}
export const geodesicErrorMs = (rttMs: number): number => GEODESIC_ERROR * rttMs;

function boundMs(m: PlayerModel, spheres: Float64Array, slot: number): number {
  let square = 0;
  for (let d = 0; d < 3; d++) square += ((m[SPHERE + d] ?? 0) - (spheres[slot * 3 + d] ?? 0)) ** 2;
  return chordRttMs(square);
}

/** Standard deviation of a residual before anything is measured nearby, ms. */
export const priorErrorMs = (rttMs: number): number => RESIDUAL_SD * Math.sqrt(rttMs + FREE_MS);

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
  const kriged = Math.min(MOST_KRIGED, m[COUNT] ?? 0);
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
  const n = Math.min(MOST_KRIGED, m[COUNT] ?? 0);
  const factor = new Float64Array((n * (n + 1)) / 2);
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
function spreadOfWhitened(whitened: Float64Array): number {
  let squares = 0;
  for (const v of whitened) squares += v * v;
  return Math.sqrt((squares / RESIDUAL_SD ** 2 + PRIOR_RESIDUALS) / (whitened.length + PRIOR_RESIDUALS));
}

function solveLower(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = 0; i < n; i++) {
    const row = (i * (i + 1)) / 2;
    let sum = b[i] ?? 0;
    for (let k = 0; k < i; k++) sum -= (factor[row + k] ?? 0) * (b[k] ?? 0);
    b[i] = sum / (factor[row + i] ?? 1);
  }
}

function solveUpper(factor: Float64Array, n: number, b: Float64Array): void {
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i] ?? 0;
    for (let k = i + 1; k < n; k++) sum -= (factor[(k * (k + 1)) / 2 + i] ?? 0) * (b[k] ?? 0);
    b[i] = sum / (factor[(i * (i + 1)) / 2 + i] ?? 1);
  }
}
