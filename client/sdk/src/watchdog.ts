/**
 * Notices that a host has stopped to be heard from. It promises to say something twice a second, if only that it is there.
 */

/** Three signs of life missing in a row; a slow network delays them, it does not swallow them. */
const SILENT_AFTER_MS = 1_500;

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

  #watch(forMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      const leftMs = this.#heardAtMs + SILENT_AFTER_MS - performance.now();
      if (leftMs > 0) {
        this.#watch(leftMs);
        return;
      }
      this.#silent = true;
      this.#onSilent();
    }, forMs);
  }
}
