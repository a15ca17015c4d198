/** Limits how often something may happen: so many at once, so many a second in the long run. */

export interface RateLimit {
  /** In the long run; 0 never refills. */
  readonly perSecond: number;
  /** At once. */
  readonly burst: number;
}

export class TokenBucket {
  readonly #limit: RateLimit;
  #tokens: number;
  #atMs: number;

  /** @param tokens to begin with; more than `burst` is used up in time, not cut down */
  constructor(limit: RateLimit, nowMs: number, tokens: number = limit.burst) {
    this.#limit = limit;
    this.#tokens = tokens;
    this.#atMs = nowMs;
  }

  has(nowMs: number, amount = 1): boolean {
    this.#refill(nowMs);
    return this.#tokens >= amount;
  }

  /** False if that is too much; then nothing is taken. */
  take(nowMs: number, amount = 1): boolean {
    if (!this.has(nowMs, amount)) return false;
    this.#tokens -= amount;
    return true;
  }

  /** Takes what is left. */
  empty(): void {
    this.#tokens = 0;
  }

  #refill(nowMs: number): void {
    const { perSecond, burst } = this.#limit;
    const elapsedS = (nowMs - this.#atMs) / 1000;
    this.#atMs = nowMs;
    // Without a limit there is nothing to count: endless times nothing is not a number.
    if (burst === Number.POSITIVE_INFINITY) this.#tokens = burst;
    else this.#tokens = Math.max(this.#tokens, Math.min(burst, this.#tokens + elapsedS * perSecond));
  }
}
