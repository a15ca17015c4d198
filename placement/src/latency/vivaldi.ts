/**
 * Network coordinates with height (Dabek, Cox, Kaashoek, Morris: Vivaldi, SIGCOMM 2004), fit from
 * player-to-host probes only: players never probe each other, hosts need not either.
 */
import { HEIGHT, MIN_HEIGHT_MS, type NodeSpace, STRIDE } from "./node-space.js";

/** Gains of the paper (section 4.2): how far one sample moves a node, how fast its error estimate follows. */
const GAIN = 0.25;
const ERROR_GAIN = 0.25;
/** Passes over remembered probes; past these a coordinate hardly moves any more. */
const SETTLE_PASSES = 40;
const SETTLE_GAIN = 0.4;
const LEAST_GAIN = 0.02;
/** A miss counts up to so many roots of its round trip. */
const CLIP = 3;
const CLIP_FREE_MS = 5;
/** Short round trips are the more telling: weight is half at this one. */
const WEIGHT_AT_MS = 100;
/** How readily a miss is laid to the access link, against the place. */
const HEIGHT_SHARE = 0.3;
const MIN_DISTANCE_MS = 1e-6;

/** Round trips of one node to so many others, in parallel. */
export interface Samples {
  slots: Int32Array;
  rttsMs: Float64Array;
  count: number;
}

/** Distance of the Euclidean parts, ms: how far apart two nodes are, heights left out. */
export function spanMs(a: Float64Array, i: number, b: Float64Array, j: number): number {
  const p = i * STRIDE;
  const q = j * STRIDE;
  const x = (a[p] ?? 0) - (b[q] ?? 0);
  const y = (a[p + 1] ?? 0) - (b[q + 1] ?? 0);
  const z = (a[p + 2] ?? 0) - (b[q + 2] ?? 0);
  return Math.sqrt(x * x + y * y + z * z);
}

export function predictMs(a: Float64Array, i: number, b: Float64Array, j: number): number {
  return spanMs(a, i, b, j) + (a[i * STRIDE + HEIGHT] ?? 0) + (b[j * STRIDE + HEIGHT] ?? 0);
}

/**
 * One sample moves both ends, each by the share of its own uncertainty.
 * @param shareB of its step that the other end makes: many pull at it
 */
export function observe(
  a: NodeSpace,
  i: number,
  b: NodeSpace,
  j: number,
  rttMs: number,
  shareB: number,
): void {
  const errorA = a.error[i] ?? 1;
  const errorB = b.error[j] ?? 1;
  pull(a, i, b, j, rttMs, errorA, errorB, 1);
  pull(b, j, a, i, rttMs, errorB, errorA, shareB);
}

/**
 * Puts a node where all its samples want it, the others held still: passes over them with a shrinking gain, from
 * its nearest sample's place. A sample far off the rest (a detour that no coordinate can show) pulls only so hard.
 */
export function relaxNode(
  node: Float64Array,
  i: number,
  others: Float64Array,
  { slots, rttsMs, count }: Samples,
): void {
  if (count === 0) return;
  let nearest = 0;
  for (let s = 1; s < count; s++) if ((rttsMs[s] ?? 0) < (rttsMs[nearest] ?? 0)) nearest = s;
  const from = slots[nearest] ?? 0;
  for (let d = 0; d < HEIGHT; d++)
    node[i * STRIDE + d] = (others[from * STRIDE + d] ?? 0) + (node[i * STRIDE + d] ?? 0) * 1e-3;
  const height = node[i * STRIDE + HEIGHT] ?? 0;
  node[i * STRIDE + HEIGHT] = Math.max(MIN_HEIGHT_MS, Math.min(height, (rttsMs[nearest] ?? 0) / 2));
  for (let pass = 0; pass < SETTLE_PASSES; pass++) {
    const gain = SETTLE_GAIN * (1 - pass / SETTLE_PASSES) + LEAST_GAIN;
    for (let s = 0; s < count; s++) {
      const j = slots[s] ?? 0;
      const rttMs = rttsMs[s] ?? 0;
      const span = spanMs(node, i, others, j);
      const predicted = span + (node[i * STRIDE + HEIGHT] ?? 0) + (others[j * STRIDE + HEIGHT] ?? 0);
      shift(node, i, others, j, span, clipped(rttMs - predicted, rttMs), gain);
    }
  }
}

/** Both ends of a remembered sample give way by their gains, whatever their error: for passes over all samples. */
export function relax(
  a: Float64Array,
  i: number,
  b: Float64Array,
  j: number,
  rttMs: number,
  gainA: number,
  gainB: number,
): void {
  const span = spanMs(a, i, b, j);
  const predicted = span + (a[i * STRIDE + HEIGHT] ?? 0) + (b[j * STRIDE + HEIGHT] ?? 0);
  const miss = clipped(rttMs - predicted, rttMs);
  shift(a, i, b, j, span, miss, gainA);
  shift(b, j, a, i, spanMs(a, i, b, j), miss, gainB);
}

/** Errors grow with the root of the round trip; beyond some of it, more error is no more reason to move (Huber 1964). */
function clipped(missMs: number, rttMs: number): number {
  const limit = CLIP * Math.sqrt(rttMs + CLIP_FREE_MS);
  const weight = WEIGHT_AT_MS / (rttMs + WEIGHT_AT_MS);
  return weight * Math.max(-limit, Math.min(limit, missMs));
}

function shift(
  node: Float64Array,
  i: number,
  other: Float64Array,
  j: number,
  spanBefore: number,
  missMs: number,
  gain: number,
): void {
  const step = gain * missMs;
  const share = step / Math.max(spanBefore, MIN_DISTANCE_MS);
  const p = i * STRIDE;
  const q = j * STRIDE;
  for (let d = 0; d < HEIGHT; d++)
    node[p + d] = (node[p + d] ?? 0) + share * ((node[p + d] ?? 0) - (other[q + d] ?? 0));
  node[p + HEIGHT] = Math.max(MIN_HEIGHT_MS, (node[p + HEIGHT] ?? 0) + HEIGHT_SHARE * step);
}

function pull(
  nodes: NodeSpace,
  i: number,
  others: NodeSpace,
  j: number,
  rttMs: number,
  ownError: number,
  otherError: number,
  share: number,
): void {
  const weight = ownError / (ownError + otherError || 1);
  const distance = spanMs(nodes.at, i, others.at, j);
  const p = i * STRIDE;
  const q = j * STRIDE;
  const heights = (nodes.at[p + HEIGHT] ?? 0) + (others.at[q + HEIGHT] ?? 0);
  const span = Math.max(distance + heights, MIN_DISTANCE_MS);
  const predicted = distance + heights;
  const sampleError = Math.min(1, Math.abs(predicted - rttMs) / Math.max(rttMs, 1));
  nodes.error[i] = Math.min(
    1,
    sampleError * ERROR_GAIN * weight + (nodes.error[i] ?? 1) * (1 - ERROR_GAIN * weight),
  );
  const step = share * GAIN * weight * (rttMs - predicted);
  const along = (step / Math.max(distance, MIN_DISTANCE_MS)) * (distance / span);
  for (let d = 0; d < HEIGHT; d++)
    nodes.at[p + d] = (nodes.at[p + d] ?? 0) + along * ((nodes.at[p + d] ?? 0) - (others.at[q + d] ?? 0));
  nodes.at[p + HEIGHT] = Math.max(MIN_HEIGHT_MS, (nodes.at[p + HEIGHT] ?? 0) + (step * heights) / span);
}
