/**
 * Whether estimates are as good as they say: the root mean square of how far first measurements were off, in standard
 * deviations of the estimate. 1 where the model fits the network; above it on networks that no coordinates describe.
 */

/** So many measurements of no surprise are believed before the first. */
const PRIOR = 30;
/** Older measurements fade by so many. */
const WINDOW = 400;
/** Squares count up to this: one impossible path is no reason to doubt all. */
const MOST_SQUARED = 16;

export class Surprise {
  #squares = 0;
  #weight = 0;

  add(deviations: number): void {
    const kept = 1 - 1 / WINDOW;
    this.#squares = this.#squares * kept + Math.min(deviations * deviations, MOST_SQUARED);
    this.#weight = this.#weight * kept + 1;
  }

  /** What to multiply standard deviations with. */
  get scale(): number {
    return Math.sqrt((this.#squares + PRIOR) / (this.#weight + PRIOR));
  }

  reset(): void {
    this.#squares = 0;
    this.#weight = 0;
  }
}
