/**
 * Whether a player's path to a host has changed: a run of answers on one side, outside of what the path's noise
 * explains. Three in a row suffice where nothing like them was seen before; where the path has had such outliers,
 * the run must be longer than they make by chance, so that neither a wild first window hides a move nor spikes feign
 * one.
 */
import { quantile } from "./quantile.js";

const SHORTEST_RUN = 3;
/** A deviation counts if it is more than this and more than the path's own noise. */
const LEAST_MS = 4;
const LEAST_SHARE = 0.12;
/** Of the deviations, the one that so many are below: a quarter of wild answers does not move it. */
const NOISE_QUANTILE = 0.75;
/** As many times that; of normal noise it makes 3.5 standard deviations, more of few answers (Student 1908). */
const NOISE_FACTOR = 3;
const FEW_ANSWERS = 4;
/** A run that outliers make more often than this is no change. */
const CHANCE = 0.0003;

/** An outlier of so large a share of the run's least deviation is like it. */
const ALIKE_SHARE = 0.5;

interface Baseline {
  /** Answers before the run, ascending. */
  sorted: readonly number[];
  p50Ms: number;
  spreadMs: number;
}

export class PathChange {
  /** Answers in a row above the spread, or below if negative. */
  #run = 0;
  /** The least deviation of the run, ms. */
  #leastMs = 0;
  #baseline: Baseline | undefined;

  /** Whether answers of late may be of a new path: else nothing is remembered of them here. */
  get isRunning(): boolean {
    return this.#run !== 0;
  }

  /**
   * @param before the answers before this one, ascending
   * @returns how many of the last answers, this one included, are of the new path; 0 if it is the old one still
   */
  take(rttMs: number, before: readonly number[]): number {
    // While a run lasts it is compared with what was there before it, not with itself.
    const p50Ms = this.#baseline?.p50Ms ?? quantile(before, 0.5);
    const deviationMs = rttMs - p50Ms;
    const side = Math.sign(deviationMs);
    const baseline = isUsual(rttMs, before.length, p50Ms)
      ? undefined
      : (this.#baseline ?? baselineOf(before, p50Ms));
    if (baseline === undefined || Math.abs(deviationMs) <= baseline.spreadMs) {
      this.#run = 0;
      this.#baseline = undefined;
      return 0;
    }
    this.#baseline ??= { ...baseline, sorted: [...before] };
    const goesOn = this.#run * side > 0;
    this.#leastMs = goesOn ? Math.min(this.#leastMs, Math.abs(deviationMs)) : Math.abs(deviationMs);
    this.#run = goesOn ? this.#run + side : side;
    const length = Math.abs(this.#run);
    if (length < SHORTEST_RUN || length < this.#needed(baseline, side)) return 0;
    this.#run = 0;
    this.#baseline = undefined;
    return length;
  }

  /** How long a run outliers of the old path do not make. */
  #needed({ sorted, p50Ms, spreadMs }: Baseline, side: number): number {
    const alikeMs = Math.max(spreadMs, ALIKE_SHARE * this.#leastMs);
    let alike = 0;
    for (const rttMs of sorted) if (side * (rttMs - p50Ms) > alikeMs) alike++;
    if (alike === 0) return SHORTEST_RUN;
    // Their share among the answers (Jeffreys 1946), to the power of the run's length, is the chance.
    return Math.log(CHANCE) / Math.log((alike + 0.5) / (sorted.length + 1));
  }
}

/** Most answers are as usual by any measure; only for the others it pays to know the path's noise. */
export const isUsual = (rttMs: number, answers: number, p50Ms: number): boolean =>
  answers < SHORTEST_RUN || Math.abs(rttMs - p50Ms) <= leastSpreadMs(p50Ms);

const leastSpreadMs = (p50Ms: number): number => Math.max(LEAST_MS, p50Ms * LEAST_SHARE);

function baselineOf(sorted: readonly number[], p50Ms: number): Baseline {
  const noiseMs = NOISE_FACTOR * (1 + FEW_ANSWERS / sorted.length) * typicalDeviationMs(sorted, p50Ms);
  return { sorted, p50Ms, spreadMs: Math.max(leastSpreadMs(p50Ms), noiseMs) };
}

/** An order statistic of the deviations from the median, counted from the middle outwards. */
function typicalDeviationMs(sorted: readonly number[], p50Ms: number): number {
  let high = sorted.findIndex((rttMs) => rttMs >= p50Ms);
  let low = high - 1;
  let deviationMs = 0;
  for (let left = Math.floor(NOISE_QUANTILE * (sorted.length - 1)); left >= 0; left--) {
    const above = (sorted[high] ?? Number.POSITIVE_INFINITY) - p50Ms;
    const below = p50Ms - (sorted[low] ?? Number.NEGATIVE_INFINITY);
    deviationMs = Math.min(above, below);
    if (above <= below) high++;
    else low--;
  }
  return deviationMs;
}
