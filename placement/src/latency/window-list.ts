/** The windows of one player, one for each host that it has measured, in the order in which it first did. */
import type { ProbeWindows } from "./probe-windows.js";
import type { Samples } from "./vivaldi.js";

const NONE = -1;

export class WindowList {
  /** Where the windows are, those of other players too. */
  readonly pool: ProbeWindows;
  #first = NONE;
  #last = NONE;
  #size = 0;

  constructor(pool: ProbeWindows) {
    this.pool = pool;
  }

  /** -1 if there is none; `pool.next` gives the others. */
  get first(): number {
    return this.#first;
  }

  get size(): number {
    return this.#size;
  }

  /** The window of a host; -1 if it was not measured. */
  of(host: number): number {
    const { pool } = this;
    let window = this.#first;
    while (window !== NONE && pool.host(window) !== host) window = pool.next(window);
    return window;
  }

  add(window: number): void {
    if (this.#last === NONE) this.#first = window;
    else this.pool.setNext(this.#last, window);
    this.#last = window;
    this.#size++;
  }

  /** @returns whether it was measured */
  remove(host: number): boolean {
    const { pool } = this;
    let before = NONE;
    for (let window = this.#first; window !== NONE; before = window, window = pool.next(window)) {
      if (pool.host(window) !== host) continue;
      const after = pool.next(window);
      if (before === NONE) this.#first = after;
      else pool.setNext(before, after);
      if (this.#last === window) this.#last = before;
      this.#size--;
      pool.close(window);
      return true;
    }
    return false;
  }

  keepOnly(kept: number): void {
    this.#close(kept);
    this.pool.setNext(kept, NONE);
    this.add(kept);
  }

  clear(): void {
    this.#close(NONE);
  }

  #close(except: number): void {
    const { pool } = this;
    for (let window = this.#first; window !== NONE; ) {
      const next = pool.next(window);
      if (window !== except) pool.close(window);
      window = next;
    }
    this.#first = NONE;
    this.#last = NONE;
    this.#size = 0;
  }

  /** Medians as estimates use them, for its coordinate: overwritten by whoever is asked next. */
  samples(): Samples {
    const { pool } = this;
    const { scratch } = pool;
    if (scratch.slots.length < this.#size) {
      scratch.slots = new Int32Array(2 * this.#size);
      scratch.rttsMs = new Float64Array(2 * this.#size);
    }
    let count = 0;
    for (let window = this.#first; window !== NONE; window = pool.next(window)) {
      scratch.slots[count] = pool.host(window);
      scratch.rttsMs[count++] = pool.usedMs(window);
    }
    scratch.count = count;
    return scratch;
  }
}
