/** Quantiles of a run of any length in bounded memory. */

/** Neighbouring buckets differ by this factor: quantiles are exact to about 1 %. */
const GROWTH = 1.02;
/** Values below are counted as this; nothing here is measured finer, ms. */
const SMALLEST = 0.01;

/** Counts values in logarithmic buckets; count and maximum are exact. */
export class Distribution {
  readonly #buckets = new Map<number, number>();
  #count = 0;
  #max = 0;

  get count(): number {
    return this.#count;
  }

  get max(): number {
    return this.#max;
  }

  /** @param value not negative */
  add(value: number): void {
    const bucket = Math.round(Math.log(Math.max(value, SMALLEST) / SMALLEST) / Math.log(GROWTH));
    this.#buckets.set(bucket, (this.#buckets.get(bucket) ?? 0) + 1);
    this.#count += 1;
    this.#max = Math.max(this.#max, value);
  }

  /** @param q 0..1; undefined when nothing was counted */
  quantile(q: number): number | undefined {
    let left = Math.max(1, Math.ceil(q * this.#count));
    for (const [bucket, count] of [...this.#buckets].sort(([a], [b]) => a - b)) {
      left -= count;
      if (left <= 0) return bucket === 0 ? 0 : Math.min(this.#max, SMALLEST * GROWTH ** bucket);
    }
    return undefined;
  }
}
