/**
 * A room host's right to run rooms. Its agent renews it while a broker answers; when it runs out, rooms pause
 * until it is renewed, since a broker that cannot see this host may have them restored on another.
 */
import { monotonicMs } from "./monotonic.js";

const CHECK_MS = 50;

export interface LeaseEvents {
  onExpired: () => void;
  onRenewed: () => void;
}

export class Lease {
  readonly #events: LeaseEvents;
  /** Nobody who never granted it can take it away. */
  #untilMs = Number.POSITIVE_INFINITY;
  #expired = false;

  constructor(events: LeaseEvents) {
    this.#events = events;
    setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** False if it has run out; noticed here at the latest. */
  holds(): boolean {
    this.#check();
    return !this.#expired;
  }

  /** @param untilMs on {@link monotonicMs}: what waited to be read while this process stood still counts for less */
  renew(untilMs: number): void {
    // What expired meanwhile is noticed before it is renewed.
    this.#check();
    this.#untilMs = untilMs;
    if (!this.#expired || monotonicMs() >= untilMs) return;
    this.#expired = false;
    this.#events.onRenewed();
  }

  #check(): void {
    if (this.#expired || monotonicMs() < this.#untilMs) return;
    this.#expired = true;
    this.#events.onExpired();
  }
}
