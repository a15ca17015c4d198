/**
 * A room host's right to run rooms. Its agent renews it while a broker answers; when it runs out, rooms pause
 * until it is renewed, since a broker that cannot see this host may have them restored on another.
 */

const CHECK_MS = 100;

export interface LeaseEvents {
  onExpired: () => void;
  onRenewed: () => void;
}

export class Lease {
  readonly #events: LeaseEvents;
  /** Nobody who never granted it can take it away. */
  #expiresAtMs = Number.POSITIVE_INFINITY;
  #expired = false;

  constructor(events: LeaseEvents) {
    this.#events = events;
    setInterval(() => this.#check(), CHECK_MS).unref();
  }

  renew(forMs: number): void {
    // What expired while this process stood still is noticed before it is renewed.
    this.#check();
    this.#expiresAtMs = performance.now() + forMs;
    if (!this.#expired) return;
    this.#expired = false;
    this.#events.onRenewed();
  }

  #check(): void {
    if (this.#expired || performance.now() < this.#expiresAtMs) return;
    this.#expired = true;
    this.#events.onExpired();
  }
}
