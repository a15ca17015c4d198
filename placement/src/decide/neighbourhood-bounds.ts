/**
 * Of one room: how good hosts of each neighbourhood could be at best when they were last looked at. Estimates fall only so
 * far from one look at all hosts to the next, so most neighbourhoods need no other.
 */
import type { Bounds } from "./contenders.js";
import type { Falls } from "./falls.js";

/**
 * By neighbourhood: the mean's part of J and the largest round trip, at least. What had fallen by then is added, to be taken
 * off with all that has fallen since. Minus infinity if nothing is known.
 */
const NUMBERS = 2;
const LEAST_MS = 0;
const MAX_MS = 1;
/** More than single precision is off by. */
const ROUNDING_SHARE = 2 ** -23;

export class NeighbourhoodBounds {
  #drawing = 0;
  #numbers = new Float32Array(0);
  /** By neighbourhood: which player the largest round trip is of. */
  #worst = new Uint16Array(0);

  /** @param drawing of the neighbourhoods, so many: of others nothing is known */
  sync(drawing: number, count: number): void {
    if (drawing === this.#drawing) return;
    this.#drawing = drawing;
    this.#numbers = new Float32Array(NUMBERS * count);
    this.#worst = new Uint16Array(count);
    this.reset();
  }

  reset(): void {
    this.#numbers.fill(Number.NEGATIVE_INFINITY);
  }

  forget(index: number): void {
    this.#numbers[index * NUMBERS + LEAST_MS] = Number.NEGATIVE_INFINITY;
  }

  /**
   * @param leastMs of the mean's part of J
   * @param maxMs of what the worst-off player has, as far as falls are counted
   */
  put(index: number, leastMs: number, maxMs: number, worst: number, falls: Falls): void {
    const at = index * NUMBERS;
    this.#numbers[at + LEAST_MS] = below(leastMs + falls.meanMs);
    this.#numbers[at + MAX_MS] = below(maxMs + falls.of(worst));
    this.#worst[index] = worst;
  }

  /** Whether no host of it is within the bounds, but for those that were measured or have moved since. */
  isBeyond(index: number, { limitMs, capMs }: Bounds, maxShare: number, falls: Falls): boolean {
    const at = index * NUMBERS;
    const leastMs = (this.#numbers[at + LEAST_MS] ?? 0) - falls.meanMs;
    const maxMs = (this.#numbers[at + MAX_MS] ?? 0) - falls.of(this.#worst[index] ?? 0);
    return leastMs + maxShare * maxMs > limitMs && maxMs > capMs;
  }
}

const below = (ms: number): number => ms - Math.abs(ms) * ROUNDING_SHARE;
