/** Notices that a host which says twice a second that it is there has stopped to. */

/** Three signs of life missing in a row; a slow network delays them, it does not swallow them. */
const SILENT_AFTER_MS = 1_500;

export class Watchdog {
  readonly #onSilent: () => void;
  readonly #onHeard: () => void;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #silent = false;

  constructor(onSilent: () => void, onHeard: () => void) {
    this.#onSilent = onSilent;
    this.#onHeard = onHeard;
  }

  /** The host promises to be heard from: the watch begins, or begins anew. */
  alive(): void {
    this.heard();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#silent = true;
      this.#onSilent();
    }, SILENT_AFTER_MS);
  }

  /** Anything else it says shows as well that it is there. */
  heard(): void {
    if (!this.#silent) return;
    this.#silent = false;
    this.#onHeard();
  }

  get silent(): boolean {
    return this.#silent;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#silent = false;
  }
}
