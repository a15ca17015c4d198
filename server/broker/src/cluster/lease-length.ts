/**
 * How long a lease a broker asks Redis for. Short while it renews in time, so that others soon have what a dead one
 * decided about. On a machine too busy for that, brokers with short leases lose them every second, and what each begins
 * (a rescue, a move, reading the record) it never ends: so one that renews late asks for longer ones, until it
 * has renewed in time for a while.
 */

/** ms. */
export const LEAST_LEASE_MS = 2_000;
/** What no lease exceeds: a Redis that has forgotten who holds what gives nothing away before this is over. */
export const LONGEST_LEASE_MS = 6_000;
/** A gap between two grants longer than this share of the lease was a narrow escape. */
const NARROW_SHARE = 0.4;
/** A lease lasts this many of the longest gap seen. */
const GAPS_PER_LEASE = 4;
/** Renewed in time for so long, it asks for half of it again. */
const CALM_MS = 30_000;

export class LeaseLength {
  #ms = LEAST_LEASE_MS;
  #calmSinceMs = Number.NEGATIVE_INFINITY;

  get ms(): number {
    return this.#ms;
  }

  /**
   * A lease was granted.
   * @param nowMs monotonic
   * @param gapMs from when the grant before was asked for until now
   */
  granted(nowMs: number, gapMs: number): void {
    if (gapMs > this.#ms * NARROW_SHARE) {
      this.#ms = Math.min(LONGEST_LEASE_MS, Math.max(this.#ms, gapMs * GAPS_PER_LEASE));
      this.#calmSinceMs = nowMs;
    } else if (nowMs - this.#calmSinceMs >= CALM_MS) {
      this.#ms = Math.max(LEAST_LEASE_MS, this.#ms / 2);
      this.#calmSinceMs = nowMs;
    }
  }
}
