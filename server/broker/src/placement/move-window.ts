/**
 * How many moves at a time leave a host that has to be empty soon. It grows with each move that takes no longer than moves
 * take when few are under way, shrinks when they take much longer or fail, as a congestion window does (Jacobson 1988), and
 * is never less than the time that is left demands: a room that is not moved in time is restored, which costs its players more.
 */

const FIRST = 8;
const LEAST = 4;
const MOST = 64;
/** Shorter than this a move need not be. */
const QUICK_MS = 250;
/** Times as long as the quickest: until there it grows, from there it shrinks. */
const GROWS_BELOW = 2;
const SHRINKS_ABOVE = 4;
/** Weight of the latest move in what a move takes. */
const SMOOTHING = 0.2;

export class MoveWindow {
  #limit = FIRST;
  #quickestMs = Number.POSITIVE_INFINITY;
  #usualMs = QUICK_MS;

  /** A move is over. */
  ended(durationMs: number, arrived: boolean): void {
    if (!arrived) {
      this.#limit = Math.max(LEAST, this.#limit / 2);
      return;
    }
    this.#quickestMs = Math.min(this.#quickestMs, Math.max(durationMs, QUICK_MS));
    this.#usualMs += SMOOTHING * (durationMs - this.#usualMs);
    if (durationMs <= GROWS_BELOW * this.#quickestMs) this.#limit = Math.min(MOST, this.#limit + 1);
    else if (durationMs > SHRINKS_ABOVE * this.#quickestMs) this.#limit = Math.max(LEAST, this.#limit - 1);
  }

  /** @param rooms that are still to be moved within `leftMs` */
  limit(rooms: number, leftMs: number): number {
    const demanded = Math.ceil((rooms * this.#usualMs) / Math.max(leftMs, this.#usualMs));
    return Math.max(Math.floor(this.#limit), Math.min(MOST, demanded));
  }
}
