/**
 * Notices that a host has stopped to be heard from. It promises to say something twice a second, if only that it is there.
 */

/** Three signs of life missing in a row; a slow network delays them, it does not swallow them. */
const SILENT_AFTER_MS = 1_500;

/** This program itself stood still for so long, and may not have read yet what has arrived meanwhile. */
const LATE_MS = 200;

export class Watchdog {
  readonly #onSilent: () => void;
  readonly #onHeard: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #heardAtMs = 0;
  #silent = false;

  constructor(onSilent: () => void, onHeard: () => void) {
    this.#onSilent = onSilent;
    this.#onHeard = onHeard;
  }

  /** The host promises to be heard from: the watch begins. */
  alive(): void {
    this.heard();
    if (this.#timer === undefined) this.#watch(SILENT_AFTER_MS);
  }

  /** Whatever it says shows that it is there. Called with every frame, so no timer is set anew. */
  heard(): void {
    this.#heardAtMs = performance.now();
    if (!this.#silent) return;
    this.#silent = false;
    this.#watch(SILENT_AFTER_MS);
    this.#onHeard();
  }

  get silent(): boolean {
    return this.#silent;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#silent = false;
  }

  /** @param readsFirst it is late already, and what has arrived is read before the timer ends */
  #watch(forMs: number, readsFirst = false): void {
    clearTimeout(this.#timer);
    const dueAtMs = performance.now() + forMs;
    this.#timer = setTimeout(() => {
      const nowMs = performance.now();
      const leftMs = this.#heardAtMs + SILENT_AFTER_MS - nowMs;
      if (leftMs > 0) {
        this.#watch(leftMs);
        return;
      }
      if (!readsFirst && nowMs - dueAtMs > LATE_MS) {
        this.#watch(LATE_MS, true);
        return;
      }
      this.#silent = true;
      this.#onSilent();
    }, forMs);
  }
}
