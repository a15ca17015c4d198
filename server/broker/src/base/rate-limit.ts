/** A token bucket per address, or whatever else a caller is known by, for what anybody may call. */
import { forgetOldest, type RateLimit, TokenBucket } from "@centroid/protocol";
import type { Clock } from "./clock.js";

/** Addresses remembered; beyond that the one idle longest is forgotten. */
const MAX_ADDRESSES = 50_000;

export class RateLimiter {
  readonly #limit: RateLimit | undefined;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, TokenBucket>();

  /** @param limit no limit if not given */
  constructor(limit: RateLimit | undefined, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** True if this address has something left of its share. */
  has(address: string): boolean {
    return this.#buckets.get(address)?.has(this.#clock.now()) !== false;
  }

  /** False if this address has used up its share. */
  admit(address: string): boolean {
    const limit = this.#limit;
    if (limit === undefined) return true;
    const nowMs = this.#clock.now();
    const bucket = this.#buckets.get(address) ?? new TokenBucket(limit, nowMs);
    this.#buckets.delete(address);
    this.#buckets.set(address, bucket);
    // The map keeps the order of use: the first has been idle longest.
    forgetOldest(this.#buckets, MAX_ADDRESSES);
    if (bucket.take(nowMs)) return true;
    // Whoever goes on asking waits for a whole one.
    bucket.empty();
    return false;
  }
}
