/** A token bucket per address, or whatever else a caller is known by, for what anybody may call. */
import type { Clock } from "./clock.js";

export interface RateLimit {
  /** Requests a second in the long run. */
  perSecond: number;
  /** Requests at once. */
  burst: number;
}

/** Addresses remembered; beyond that the one idle longest is forgotten. */
const MAX_ADDRESSES = 50_000;

export class RateLimiter {
  readonly #limit: RateLimit | undefined;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();

  /** @param limit no limit if not given */
  constructor(limit: RateLimit | undefined, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** True if this address has something left of its share. */
  has(address: string): boolean {
    const known = this.#buckets.get(address);
    return known === undefined || this.#refilled(known) >= 1;
  }

  /** False if this address has used up its share. */
  admit(address: string): boolean {
    const limit = this.#limit;
    if (limit === undefined) return true;
    const atMs = this.#clock.now();
    const known = this.#buckets.get(address);
    const tokens = known === undefined ? limit.burst : this.#refilled(known);
    this.#buckets.delete(address);
    this.#buckets.set(address, { tokens: Math.max(0, tokens - 1), atMs });
    // The map keeps the order of use: the first has been idle longest.
    if (this.#buckets.size > MAX_ADDRESSES) {
      for (const oldest of this.#buckets.keys()) {
        this.#buckets.delete(oldest);
        break;
      }
    }
    return tokens >= 1;
  }

  #refilled({ tokens, atMs }: { tokens: number; atMs: number }): number {
    const { perSecond, burst } = this.#limit ?? { perSecond: 0, burst: Number.POSITIVE_INFINITY };
    return Math.min(burst, tokens + ((this.#clock.now() - atMs) / 1000) * perSecond);
  }
}
