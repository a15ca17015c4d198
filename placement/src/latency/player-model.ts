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
export const TAIL = 4;
export const CONSTANT = 5;
export const FIT = 6;
export const MEASURED = 7;
export const CELL = 8;
export const VERSION = 9;
export const USABLE = 10;
/** Place on the unit sphere; NaN if none is known. */
export const SPHERE = 11;
/** How often one of its hosts was measured since its estimates were first made. */
export const REMEASURED = 14;
/** How much farther apart its residuals are than usual, as a factor. */
export const SPREAD = 15;
/** The fit since which the next four say how far estimates have fallen. */
export const UNBROKEN = 16;
/** By how much the player has come nearer to any host, ms; only grows. */
export const PLACE_FALL = 17;
/** By how much a residual towards any host has fallen, roots of ms; only grows. */
export const RESIDUAL_FALL = 18;
/** By how much the share of its tails has fallen; only grows. */
export const TAIL_FALL = 19;
/** No residual has been below minus this. */
export const NEGATIVE = 20;
/** No host is farther from its place in coordinates, ms. */
export const FARTHEST = 21;
/** What its cell had fallen by when it was fit. */
export const CELL_FALL = 22;
/** The largest bias of its cell, up or down. */
export const CELL_MOST = 23;
export const HEADER = 24;
/** A measured host: x, y, z when it was fit, then these. */
export const ALPHA = 3;
export const SLOT = 4;
export const P50 = 5;
export const TAIL_MS = 6;
export const ERROR_MS = 7;
/** `REMEASURED` when it was last measured. */
export const STAMP = 8;
export const SAMPLE = 9;

/** Two hosts so far apart share half of what coordinates miss. */
export const SHARED_REACH_MS = 40;
const SQUARED_REACH = SHARED_REACH_MS ** 2;
/** Share of what coordinates miss that is the player's own, towards any host. */
export const OWN_SHARE = 0.2;
/** Standard deviation of a residual, in roots of ms. */
export const RESIDUAL_SD = 4;
export const FREE_MS = 5;
export const MIN_RTT_MS = 0.1;
/** More measured hosts than these, the nearest, add nothing to an estimate but time. */
export const MOST_KRIGED = 16;
/** Real paths are longer than the geodesic; the median over Internet paths is near this. */
const PATH_STRETCH = 1.9;
export const ACCESS_MS = 8;
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
  /** It was measured since the record was last brought up to date. */
  fresh: boolean;
}

/** A measured host was measured again: what the record says of this host alone. */
export function remeasure(m: PlayerModel, { slot, p50Ms, tailMs, errorMs }: MeasuredHost): void {
  const at = measuredAt(m, slot);
  if (at < 0) return;
  m[at + P50] = p50Ms;
  m[at + TAIL_MS] = tailMs;
  m[at + ERROR_MS] = errorMs;
  m[REMEASURED] = (m[REMEASURED] ?? 0) + 1;
  m[at + STAMP] = m[REMEASURED] ?? 0;
}

/** What a coordinate misses of a round trip, in roots of ms. */
export const scaledResidual = (rttMs: number, predictedMs: number): number =>
  (rttMs - predictedMs) / Math.sqrt(predictedMs + FREE_MS);

/** The coordinate's prediction alone, ms. */
export function coordinateMs(m: PlayerModel, hosts: Float64Array, slot: number): number {
  const h = slot * STRIDE;
  const x = (hosts[h] ?? 0) - (m[0] ?? 0);
  const y = (hosts[h + 1] ?? 0) - (m[1] ?? 0);
  const z = (hosts[h + 2] ?? 0) - (m[2] ?? 0);
  return Math.sqrt(x * x + y * y + z * z) + (m[HEIGHT] ?? 0) + (hosts[h + HEIGHT] ?? 0);
}

/** Where in the record a host's measurement is; -1 if the player has not measured it. */
export function measuredAt(m: PlayerModel, slot: number): number {
  const end = HEADER + (m[MEASURED] ?? 0) * SAMPLE;
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
/** The fit since which the record says how far its estimates have fallen. */
export const unbrokenSince = (m: PlayerModel): number => m[UNBROKEN] ?? -1;
/** `remeasuredOf` when the host at this place was last measured. */
export const stampOf = (m: PlayerModel, at: number): number => m[at + STAMP] ?? 0;
export const fitOf = (m: PlayerModel): number => m[FIT] ?? -1;
export const measuredCount = (m: PlayerModel): number => m[MEASURED] ?? 0;
/** Where in the record the s-th measured host is, the nearest first. */
export const sampleAt = (s: number): number => HEADER + s * SAMPLE;
export const slotAt = (m: PlayerModel, at: number): number => m[at + SLOT] ?? -1;

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
  const kriged = Math.min(MOST_KRIGED, m[MEASURED] ?? 0);
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
