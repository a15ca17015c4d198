/**
 * Fits a player's record to what it has measured, and keeps account of how far its estimates can have fallen since
 * any earlier fit: whoever has ruled a host out by an old estimate knows from this how long that holds.
 */
import { factorInto, LARGEST_FACTOR, solveLower, solveUpper, spreadOfWhitened } from "./kriging.js";
import { HEIGHT, STRIDE } from "./node-space.js";
import {
  ALPHA,
  CELL,
  CELL_FALL,
  CELL_MOST,
  CONSTANT,
  coordinateMs,
  ERROR_MS,
  FARTHEST,
  FIT,
  FREE_MS,
  HEADER,
  MEASURED,
  type MeasuredHost,
  MOST_KRIGED,
  NEGATIVE,
  OWN_SHARE,
  P50,
  PLACE_FALL,
  type PlayerModel,
  REMEASURED,
  RESIDUAL_FALL,
  SAMPLE,
  SHARED_REACH_MS,
  SLOT,
  SPHERE,
  SPREAD,
  STAMP,
  scaledResidual,
  TAIL,
  TAIL_FALL,
  TAIL_MS,
  UNBROKEN,
  USABLE,
  VERSION,
} from "./player-model.js";

/** The steepest that `sharedPath` gets, per ms between two hosts. */
const STEEPEST_SHARE = (3 * Math.sqrt(3)) / 8 / SHARED_REACH_MS;

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
  /** No host is farther from the origin of coordinates, height included, ms. */
  reachMs: number;
  bias: Float32Array | undefined;
  /** The largest bias of the cell, up or down; and how far any of it has fallen in all. */
  biasMost: number;
  biasFall: number;
  /** Serial number of this fit: two records with the same one are the same. */
  fit: number;
}

/** Scratch of one fit after the other. */
export class ModelFitter {
  #before = new Float64Array(0);
  /** By slot of a host: where `#before` has it. Entries of earlier fits are told by what is there. */
  #beforeAt = new Int32Array(0);
  readonly #residuals = new Float64Array(MOST_KRIGED);
  readonly #factor = new Float64Array(LARGEST_FACTOR);

  /** @param known the record of the same player so far, overwritten if it is large enough */
  fit(o: ModelInput, known: PlayerModel | undefined): PlayerModel {
    const count = o.measured.length;
    const length = HEADER + SAMPLE * count;
    const m = known !== undefined && known.length >= length ? known : new Float64Array(length + 2 * SAMPLE);
    this.#remember(known);
    for (let d = 0; d < STRIDE; d++) m[d] = o.at[o.slot * STRIDE + d] ?? 0;
    m[TAIL] = o.tailShare;
    m[MEASURED] = count;
    m[CELL] = o.cell;
    m[VERSION] = o.version;
    m[FIT] = o.fit;
    m[USABLE] = o.usable ? 1 : 0;
    for (let d = 0; d < 3; d++) m[SPHERE + d] = o.sphere?.[d] ?? Number.NaN;
    m[CELL_FALL] = o.biasFall;
    m[CELL_MOST] = o.biasMost;
    this.#putMeasured(m, o);
    this.#solve(m, o);
    this.#account(m, o);
    return m;
  }

  #remember(known: PlayerModel | undefined): void {
    if (known === undefined) {
      this.#before.fill(0);
      return;
    }
    if (this.#before.length < known.length) this.#before = new Float64Array(2 * known.length);
    const before = this.#before;
    before.set(known);
    const count = before[MEASURED] ?? 0;
    for (let s = 0; s < count; s++) {
      const at = HEADER + s * SAMPLE;
      const slot = before[at + SLOT] ?? 0;
      if (slot >= this.#beforeAt.length) this.#growSlots(slot);
      this.#beforeAt[slot] = at;
    }
  }

  #growSlots(slot: number): void {
    const grown = new Int32Array(2 * slot + 16);
    grown.set(this.#beforeAt);
    this.#beforeAt = grown;
  }

  /** Where the record before has this host; -1 if nowhere. */
  #was(slot: number): number {
    const at = this.#beforeAt[slot] ?? 0;
    const end = HEADER + (this.#before[MEASURED] ?? 0) * SAMPLE;
    return at >= HEADER && at < end && this.#before[at + SLOT] === slot ? at : -1;
  }

  #putMeasured(m: PlayerModel, { measured, hosts }: ModelInput): void {
    const before = this.#before;
    const stamp = (before[REMEASURED] ?? 0) + 1;
    for (let s = 0; s < measured.length; s++) {
      const { slot, p50Ms, tailMs, errorMs, fresh } = measured[s] as MeasuredHost;
      const at = HEADER + s * SAMPLE;
      for (let d = 0; d < 3; d++) m[at + d] = hosts[slot * STRIDE + d] ?? 0;
      m[at + ALPHA] = 0;
      m[at + SLOT] = slot;
      m[at + P50] = p50Ms;
      m[at + TAIL_MS] = tailMs;
      m[at + ERROR_MS] = errorMs;
      const was = this.#was(slot);
      // What was not measured anew changes by the tail's share alone, as estimates do.
      m[at + STAMP] = fresh || was < 0 ? stamp : (before[was + STAMP] ?? 0);
    }
    m[REMEASURED] = stamp;
  }

  #solve(m: PlayerModel, { measured, hosts, bias }: ModelInput): void {
    const kriged = Math.min(measured.length, MOST_KRIGED);
    const residuals = this.#residuals;
    for (let s = 0; s < kriged; s++) {
      const { slot, usedMs } = measured[s] as MeasuredHost;
      residuals[s] = scaledResidual(usedMs, coordinateMs(m, hosts, slot)) - (bias?.[slot] ?? 0);
    }
    const factor = factorInto(m, this.#factor);
    solveLower(factor, kriged, residuals);
    m[SPREAD] = spreadOfWhitened(residuals, kriged);
    solveUpper(factor, kriged, residuals);
    let sum = 0;
    for (let s = 0; s < kriged; s++) {
      const alpha = residuals[s] ?? 0;
      m[HEADER + s * SAMPLE + ALPHA] = (1 - OWN_SHARE) * alpha;
      sum += alpha;
    }
    m[CONSTANT] = OWN_SHARE * sum;
  }

  /** How far an estimate of any host that did not move itself can have fallen by this fit. */
  #account(m: PlayerModel, { fit, reachMs, biasFall, biasMost, cell }: ModelInput): void {
    const before = this.#before;
    const [x = 0, y = 0, z = 0, height = 0] = m;
    m[FARTHEST] = Math.sqrt(x * x + y * y + z * z) + height + reachMs;
    let negative = biasMost + Math.max(0, -(m[CONSTANT] ?? 0));
    let fall = (before[CONSTANT] ?? 0) - (m[CONSTANT] ?? 0);
    // Of two cells any bias may be the largest up in one and down in the other.
    fall += before[CELL] === cell ? biasFall - (before[CELL_FALL] ?? 0) : (before[CELL_MOST] ?? 0) + biasMost;
    let known = 0;
    const count = m[MEASURED] ?? 0;
    for (let s = 0; s < count; s++) {
      const at = HEADER + s * SAMPLE;
      const alpha = m[at + ALPHA] ?? 0;
      negative += Math.max(0, -alpha);
      const was = this.#was(m[at + SLOT] ?? -1);
      if (was < 0) {
        fall += Math.max(0, -alpha);
        continue;
      }
      known++;
      const alphaBefore = before[was + ALPHA] ?? 0;
      fall += Math.max(0, alphaBefore - alpha);
      fall += Math.abs(alphaBefore) * STEEPEST_SHARE * apartMs(m, at, before, was);
    }
    let isSamePlace = true;
    for (let d = SPHERE; d < SPHERE + 3; d++) isSamePlace &&= Object.is(m[d], before[d]);
    const isUnbroken = before[USABLE] === 1 && m[USABLE] === 1 && isSamePlace && known === before[MEASURED];
    if (!isUnbroken) {
      m[UNBROKEN] = fit;
      m[PLACE_FALL] = 0;
      m[RESIDUAL_FALL] = 0;
      m[TAIL_FALL] = 0;
      m[NEGATIVE] = negative;
      return;
    }
    const movedMs = apartMs(m, 0, before, 0);
    const heightMs = height - (before[HEIGHT] ?? 0);
    // A residual counts by the root of what coordinates predict, which is at least this much.
    const perMs = largestResidual(before) / (2 * Math.sqrt(FREE_MS));
    const bentMs = perMs * (movedMs + Math.abs(heightMs));
    m[UNBROKEN] = before[UNBROKEN] ?? 0;
    m[PLACE_FALL] = (before[PLACE_FALL] ?? 0) + movedMs + Math.max(0, -heightMs) + bentMs;
    m[RESIDUAL_FALL] = (before[RESIDUAL_FALL] ?? 0) + Math.max(0, fall);
    m[TAIL_FALL] = (before[TAIL_FALL] ?? 0) + Math.max(0, (before[TAIL] ?? 0) - (m[TAIL] ?? 0));
    m[NEGATIVE] = Math.max(before[NEGATIVE] ?? 0, negative);
    m[FARTHEST] = Math.max(before[FARTHEST] ?? 0, m[FARTHEST] ?? 0);
  }
}

/** Of any host, up or down, roots of ms. */
function largestResidual(m: Float64Array): number {
  let sum = Math.abs(m[CONSTANT] ?? 0) + (m[CELL_MOST] ?? 0);
  const end = HEADER + (m[MEASURED] ?? 0) * SAMPLE;
  for (let at = HEADER; at < end; at += SAMPLE) sum += Math.abs(m[at + ALPHA] ?? 0);
  return sum;
}

function apartMs(a: Float64Array, i: number, b: Float64Array, j: number): number {
  const dx = (a[i] ?? 0) - (b[j] ?? 0);
  const dy = (a[i + 1] ?? 0) - (b[j + 1] ?? 0);
  const dz = (a[i + 2] ?? 0) - (b[j + 2] ?? 0);
  return Math.sqrt(dx * dx + dy * dy + dz * dz);
}
