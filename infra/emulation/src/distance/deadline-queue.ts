/**
 * Calls back at sub-millisecond deadlines without spinning.
 *
 * Node timers tick in whole milliseconds and fire late. Serving everything due within half a tick, and
 * waking earlier by the lateness seen so far, makes the median error zero instead of always positive.
 */

/** Half of a Node timer tick: early and late errors cancel. */
const HALF_TICK_MS = 0.5;
/** One late batch moves the correction by this much: slow against noise, settled within some 200 batches. */
const CORRECTION_STEP_MS = 0.005;
/** A machine that is later than this by median is overloaded; correcting further would only hide it. */
const MAX_CORRECTION_MS = 1;

export interface Due {
  /** Called once when the deadline is reached: serve all up to `untilMs`, schedule what is later. */
  onDue(untilMs: number): void;
}

interface Entry {
  readonly atMs: number;
  /** Breaks ties in order of scheduling. */
  readonly order: number;
  readonly due: Due;
}

const before = (a: Entry, b: Entry): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);

/** A binary heap of deadlines served by one timer, whatever the number of connections. */
export class DeadlineQueue implements Disposable {
  readonly #now: () => number;
  readonly #heap: Entry[] = [];
  #order = 0;
  #timer: NodeJS.Timeout | undefined;
  #armedForMs = Number.POSITIVE_INFINITY;
  #correctionMs = 0;

  /** @param now monotonic clock in ms with fractions */
  constructor(now: () => number) {
    this.#now = now;
  }

  now(): number {
    return this.#now();
  }

  /** The latest deadline that counts as reached now. */
  dueUntil(): number {
    return this.#now() + HALF_TICK_MS + this.#correctionMs;
  }

  /** Calls `due.onDue` once at `atMs` of this queue's clock, within about half a millisecond. */
  schedule(atMs: number, due: Due): void {
    this.#push({ atMs, order: this.#order++, due });
    if (atMs < this.#armedForMs) this.#arm(atMs);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#heap.length = 0;
    this.#armedForMs = Number.POSITIVE_INFINITY;
  }

  #arm(atMs: number): void {
    clearTimeout(this.#timer);
    this.#armedForMs = atMs;
    const waitMs = atMs - this.#correctionMs - this.#now();
    this.#timer = setTimeout(() => this.#serve(), Math.max(1, Math.floor(waitMs)));
  }

  #serve(): void {
    this.#armedForMs = Number.POSITIVE_INFINITY;
    // One reading for the whole batch: a callback that schedules for "now" waits for the next tick.
    const now = this.#now();
    const until = now + HALF_TICK_MS + this.#correctionMs;
    const first = this.#heap[0];
    if (first && first.atMs <= until) this.#correct(now - first.atMs);
    for (let head = first; head && head.atMs <= until; head = this.#heap[0]) {
      this.#pop();
      head.due.onDue(until);
    }
    const next = this.#heap[0];
    if (next && next.atMs < this.#armedForMs) this.#arm(next.atMs);
  }

  /** Follows the median of the lateness: as many steps up as down when it is zero. */
  #correct(lateMs: number): void {
    const step = lateMs > 0 ? CORRECTION_STEP_MS : -CORRECTION_STEP_MS;
    this.#correctionMs = Math.min(MAX_CORRECTION_MS, Math.max(0, this.#correctionMs + step));
  }

  #push(entry: Entry): void {
    const heap = this.#heap;
    let i = heap.length;
    heap.push(entry);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (!above || !before(entry, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = entry;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      const left = heap[child];
      if (!left) break;
      const right = heap[child + 1];
      let least = left;
      if (right && before(right, left)) {
        least = right;
        child += 1;
      }
      if (!before(least, last)) break;
      heap[i] = least;
      i = child;
    }
    heap[i] = last;
  }
}
