/**
 * What recent probes of one player to one host say: p50, p95, jitter, loss, over a sliding window that starts anew
 * when the path has changed.
 */
import { PathChange } from "./path-change.js";
import { quantile } from "./quantile.js";

/** Probes kept per pair. */
const WINDOW = 32;
/** Loss decays by this per probe, so that it is recent loss. */
const LOSS_DECAY = 0.95;

export class ProbeWindow {
  /** In order of arrival. */
  #rtts: number[] = [];
  /** The same in ascending order, kept so as probes come and go. */
  #sorted: number[] = [];
  readonly #change = new PathChange();
  loss = 0;
  lastAtMs = Number.NEGATIVE_INFINITY;

  /** @returns true if this probe shows that the path has changed. */
  add(rttMs: number, atMs: number): boolean {
    this.loss *= LOSS_DECAY;
    this.lastAtMs = atMs;
    const ofNewPath = this.#change.take(rttMs, this.#sorted);
    this.#rtts.push(rttMs);
    this.answers++;
    if (ofNewPath > 0) {
      this.#rtts = this.#rtts.slice(-ofNewPath);
      this.answers = ofNewPath;
      this.#sorted = [...this.#rtts].sort((a, b) => a - b);
      return true;
    }
    insert(this.#sorted, rttMs);
    if (this.#rtts.length > WINDOW) drop(this.#sorted, this.#rtts.shift() ?? 0);
    return false;
  }

  lost(atMs: number): void {
    this.loss = this.loss * LOSS_DECAY + (1 - LOSS_DECAY);
    this.lastAtMs = atMs;
  }

  /** Answers taken in since the path is as it is. */
  answers = 0;

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
