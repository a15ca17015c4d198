/**
 * Tells room hosts for how long rooms may run. What brokers have said of it changes with their messages and connections and
 * only runs out by itself, so nothing is looked at again and again.
 */
import { type BrokerTerms, leaseOf } from "./lease-of.js";

/** How often a lease is told anew that lasts longer than may be told at once. */
const TELL_ON_MS = 100;

export class LeaseRenewal implements Disposable {
  readonly #brokers: readonly BrokerTerms[];
  readonly #tell: (forMs: number) => void;
  /** Until when room hosts were told that the lease holds. */
  #untilMs = Number.NEGATIVE_INFINITY;
  #soon: NodeJS.Immediate | undefined;
  #later: NodeJS.Timeout | undefined;
  #disposed = false;

  /** @param brokers all of them; may still grow */
  constructor(brokers: readonly BrokerTerms[], tell: (forMs: number) => void) {
    this.#brokers = brokers;
    this.#tell = tell;
  }

  /** A broker's terms have changed. Told after this turn: orders that came before an answer go first (OWN-9). */
  changed(): void {
    if (this.#disposed) return;
    this.#soon ??= setImmediate(() => this.now());
  }

  /**
   * Rooms run while a broker answers for all of them, or while it is known of every broker that it cannot have restored
   * them elsewhere (OWN-6, OWN-9, OWN-12).
   */
  now(): void {
    this.#stop();
    if (this.#disposed) return;
    const now = performance.now();
    const forMs = leaseOf(this.#brokers, now, now >= this.#untilMs);
    if (forMs > 0 && Math.abs(now + forMs - this.#untilMs) >= 1) {
      this.#untilMs = now + forMs;
      this.#tell(forMs);
    }
    const thenMs = now + TELL_ON_MS;
    const untilThenMs = thenMs + leaseOf(this.#brokers, thenMs, thenMs >= this.#untilMs);
    if (untilThenMs < Math.max(thenMs, this.#untilMs) + 1) return;
    this.#later = setTimeout(() => this.now(), TELL_ON_MS);
    this.#later.unref();
  }

  #stop(): void {
    clearImmediate(this.#soon);
    clearTimeout(this.#later);
    this.#soon = undefined;
    this.#later = undefined;
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#stop();
  }
}
