/** Counts what happened to numbered messages on their way, by the numbers alone. */

/** Numbers far ahead are a fault of the sender, not a gap to keep in memory. */
const MAX_GAPS = 10_000;

/** A receiver's book of one sender's messages, numbered in steps of one. */
export class SequenceCheck {
  readonly #missing = new Set<number>();
  readonly #base: number;
  #last: number;
  received = 0;
  duplicated = 0;
  reordered = 0;

  /** @param last number of the last message before the first one expected */
  constructor(last: number) {
    this.#base = last;
    this.#last = last;
  }

  get last(): number {
    return this.#last;
  }

  record(n: number): void {
    this.received += 1;
    // Told to us while we came in, and already part of the state we began with.
    if (n <= this.#base) return;
    if (n > this.#last) {
      this.#skipTo(n);
    } else if (this.#missing.delete(n)) {
      this.reordered += 1;
    } else {
      this.duplicated += 1;
    }
  }

  /** @param sent number of the last message that must have come by now */
  lost(sent: number): number {
    return this.#missing.size + Math.max(0, sent - this.#last);
  }

  #skipTo(n: number): void {
    for (let skipped = this.#last + 1; skipped < n && this.#missing.size < MAX_GAPS; skipped++) {
      this.#missing.add(skipped);
    }
    this.#last = n;
  }
}
