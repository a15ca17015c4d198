/**
 * A room host's right to run rooms. Its agent renews it while a broker answers; when it runs out, rooms pause
 * until it is renewed, since a broker that cannot see this host may have them restored on another.
 */
import { monotonicMs } from "./monotonic.js";

export interface LeaseEvents {
  /** As far as this process has read: a renewal may be waiting, unread while it was busy. */
  onExpired: () => void;
  /** It was over at the agent: brokers may have had rooms built elsewhere since. */
  onLapsed: () => void;
  onRenewed: () => void;
}

export class Lease {
  readonly #events: LeaseEvents;
  /** Nobody who never granted it can take it away. */
  #untilMs = Number.POSITIVE_INFINITY;
  #expired = false;
  /** When it runs out. */
  #timer: NodeJS.Timeout | undefined;

  constructor(events: LeaseEvents) {
    this.#events = events;
  }

  /** False if it has run out; noticed here at the latest. */
  holds(): boolean {
    this.#check();
    return !this.#expired;
  }

  /**
   * @param untilMs on {@link monotonicMs}: what waited to be read while this process stood still counts for less
   * @param lapsed the agent's lease was over before it renewed this one
   */
  renew(untilMs: number, lapsed: boolean): void {
    if (lapsed) this.#events.onLapsed();
    this.#untilMs = untilMs;
    this.#watch();
    if (!this.#expired || monotonicMs() >= untilMs) return;
    this.#expired = false;
    this.#events.onRenewed();
  }

  /** One timer for each renewal: one that looks again and again wakes a host that does nothing. */
  #watch(): void {
    clearTimeout(this.#timer);
    const leftMs = Math.max(1, Math.ceil(this.#untilMs - monotonicMs()));
    this.#timer = setTimeout(() => {
      this.#check();
      // A timer may be a little early.
      if (!this.#expired) this.#watch();
    }, leftMs).unref();
  }

  #check(): void {
    if (this.#expired || monotonicMs() < this.#untilMs) return;
    this.#expired = true;
    this.#events.onExpired();
  }
}
