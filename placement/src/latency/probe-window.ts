/**
 * What recent probes of one player to one host say: p50, p95, jitter, loss, and whether the path changed.
 *
 * A sliding window of the last probes; when three in a row lie on the same side, outside of the window's own
 * spread, the path has changed and the window starts anew: a move shows within three probes, noise does not.
 */

/** Probes kept per pair. */
const WINDOW = 32;
/** So many consecutive probes on one side of the spread mean a new path. */
const CHANGE_RUN = 3;
/** A deviation counts if it is more than this and more than the window's own spread. */
const CHANGE_MIN_MS = 4;
const CHANGE_SHARE = 0.12;
/** Loss decays by this per probe, so that it is recent loss. */
const LOSS_DECAY = 0.95;

interface Spread {
  p50Ms: number;
  ms: number;
}

export class ProbeWindow {
  /** In order of arrival. */
  #rtts: number[] = [];
  /** The same in ascending order, kept so as probes come and go. */
  #sorted: number[] = [];
  #run = 0;
  /** Of the probes before the run. */
  #baseline: Spread | undefined;
  loss = 0;
  lastAtMs = Number.NEGATIVE_INFINITY;

  /** @returns true if this probe shows that the path has changed. */
  add(rttMs: number, atMs: number): boolean {
    this.loss *= LOSS_DECAY;
    this.lastAtMs = atMs;
    const known = this.samples;
    // While a run lasts it is compared with what was there before it, not with itself.
    if (this.#run === 0) this.#baseline = known < CHANGE_RUN ? undefined : this.#spread();
    const before = this.#baseline;
    this.#rtts.push(rttMs);
    insert(this.#sorted, rttMs);
    if (this.#rtts.length > WINDOW) drop(this.#sorted, this.#rtts.shift() ?? 0);
    if (before === undefined) return false;
    const deviation = rttMs - before.p50Ms;
    if (Math.abs(deviation) <= before.ms) this.#run = 0;
    else this.#run = deviation > 0 ? Math.max(1, this.#run + 1) : Math.min(-1, this.#run - 1);
    if (Math.abs(this.#run) < CHANGE_RUN) return false;
    this.#rtts = this.#rtts.slice(-CHANGE_RUN);
    this.#sorted = [...this.#rtts].sort((a, b) => a - b);
    this.#run = 0;
    return true;
  }

  lost(atMs: number): void {
    this.loss = this.loss * LOSS_DECAY + (1 - LOSS_DECAY);
    this.lastAtMs = atMs;
  }

  /** Answers in the window. */
  get samples(): number {
    return this.#rtts.length;
  }

  get p50Ms(): number {
    return quantile(this.#sorted, 0.5);
  }

  get p95Ms(): number {
    return quantile(this.#sorted, 0.95);
  }

  /** Mean step from one answer to the next. */
  get jitterMs(): number {
    let steps = 0;
    for (let i = 1; i < this.#rtts.length; i++)
      steps += Math.abs((this.#rtts[i] ?? 0) - (this.#rtts[i - 1] ?? 0));
    return this.#rtts.length > 1 ? steps / (this.#rtts.length - 1) : 0;
  }

  #spread(): Spread {
    const { p50Ms, p95Ms, jitterMs } = this;
    return {
      p50Ms,
      ms: Math.max(CHANGE_MIN_MS, p50Ms * CHANGE_SHARE, 2 * (p95Ms - p50Ms), 3 * jitterMs),
    };
  }
}

function insert(sorted: number[], value: number): void {
  let i = sorted.length;
  sorted.push(value);
  for (; i > 0 && (sorted[i - 1] ?? 0) > value; i--) sorted[i] = sorted[i - 1] ?? 0;
  sorted[i] = value;
}

function drop(sorted: number[], value: number): void {
  for (let i = sorted.indexOf(value); i < sorted.length - 1; i++) sorted[i] = sorted[i + 1] ?? 0;
  sorted.pop();
}

/** Linear interpolation between order statistics (Hyndman & Fan 1996, type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const lower = sorted[low] ?? Number.NaN;
  const upper = sorted[Math.min(low + 1, sorted.length - 1)] ?? lower;
  return lower + (at - low) * (upper - lower);
}
