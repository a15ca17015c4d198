/**
 * Of one room: how good each open host could be at best when it was last summed up. What had fallen by then is added, to be
 * taken off with all that has fallen since.
 */
import { grown } from "../latency/grown.js";
import { BOUND_SLACK_MS, type Bounds, type Search } from "./contenders.js";
import type { Falls } from "./falls.js";

/** By open host: the mean's part of J, minus infinity if it must be summed up anew; and the largest round trip. */
const NUMBERS = 2;
const LEAST_MS = 0;
const MAX_MS = 1;

export class OpenBounds {
  readonly #search: Search;
  readonly #perWeight: number;
  readonly #falls: Falls;
  #numbers = new Float64Array(0);
  /** By open host: which player the largest round trip is of. */
  #worst = new Int32Array(0);

  constructor(search: Search, perWeight: number, falls: Falls) {
    this.#search = search;
    this.#perWeight = perWeight;
    this.#falls = falls;
  }

  resize(hosts: number): void {
    this.#numbers = grown(this.#numbers.subarray(0, hosts * NUMBERS), new Float64Array(hosts * NUMBERS));
    this.#worst = grown(this.#worst.subarray(0, hosts), new Int32Array(hosts));
  }

  /** @param sum of what the players have there, each by its weight; the largest is that of `worst` */
  put(k: number, sum: number, maxMs: number, worst: number): void {
    const at = k * NUMBERS;
    this.#numbers[at + LEAST_MS] =
      this.#search.meanShare * sum * this.#perWeight - BOUND_SLACK_MS + this.#falls.meanMs;
    this.#numbers[at + MAX_MS] = maxMs + this.#falls.of(worst);
    this.#worst[k] = worst;
  }

  isKnown(k: number): boolean {
    return this.#numbers[k * NUMBERS + LEAST_MS] !== Number.NEGATIVE_INFINITY;
  }

  /** Somebody has measured it, or it has moved. */
  forget(k: number): void {
    this.#numbers[k * NUMBERS + LEAST_MS] = Number.NEGATIVE_INFINITY;
  }

  forgetAll(): void {
    this.#numbers.fill(Number.NEGATIVE_INFINITY);
  }

  /** A host gets another number, not larger than it had. */
  renumber(from: number, to: number): void {
    this.#numbers.copyWithin(to * NUMBERS, from * NUMBERS, (from + 1) * NUMBERS);
    this.#worst[to] = this.#worst[from] ?? 0;
  }

  isBeyond(k: number, { limitMs, capMs }: Bounds): boolean {
    const maxMs = this.#maxMs(k);
    return this.#boundMs(k, maxMs) > limitMs && maxMs > capMs;
  }

  of(k: number): { leastMs: number; maxMs: number } {
    const maxMs = this.#maxMs(k);
    return { leastMs: this.#boundMs(k, maxMs), maxMs };
  }

  /** Whoever was worst off there fares no better than its falls allow, and nobody else makes the largest smaller. */
  #maxMs(k: number): number {
    return (this.#numbers[k * NUMBERS + MAX_MS] ?? 0) - this.#falls.of(this.#worst[k] ?? 0);
  }

  #boundMs(k: number, maxMs: number): number {
    const leastMs = this.#numbers[k * NUMBERS + LEAST_MS] ?? 0;
    return leastMs - this.#falls.meanMs + this.#search.maxShare * maxMs;
  }
}
