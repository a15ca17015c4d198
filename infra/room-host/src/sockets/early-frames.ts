/**
 * Frames of a connection that nobody listens to yet: kept up to a limit, and not at all once it is being closed. Somebody
 * who cannot handle one of them gets the others all the same.
 */

export class EarlyFrames {
  readonly #maxBytes: number;
  readonly #tooMany: () => void;
  readonly #failed: (cause: unknown) => void;
  #kept: Buffer[] = [];
  #bytes = 0;
  #listener: ((frame: Buffer) => void) | undefined;
  #ended = false;

  /**
   * @param tooMany called once when more has come than is kept
   * @param failed given what the listener throws
   */
  constructor(maxBytes: number, tooMany: () => void, failed: (cause: unknown) => void) {
    this.#maxBytes = maxBytes;
    this.#tooMany = tooMany;
    this.#failed = failed;
  }

  /** @param keep makes a copy that may be kept after this call */
  received(frame: Buffer, keep: (frame: Buffer) => Buffer): void {
    if (this.#listener !== undefined) {
      this.#give(this.#listener, frame);
      return;
    }
    if (this.#ended) return;
    this.#bytes += frame.byteLength;
    if (this.#bytes <= this.#maxBytes) {
      this.#kept.push(keep(frame));
      return;
    }
    this.end();
    this.#tooMany();
  }

  /** What came before is given to the listener first. */
  listen(listener: (frame: Buffer) => void): void {
    this.#listener = listener;
    const kept = this.#kept;
    this.#kept = [];
    for (const frame of kept) this.#give(listener, frame);
  }

  #give(listener: (frame: Buffer) => void, frame: Buffer): void {
    try {
      listener(frame);
    } catch (cause) {
      this.#failed(cause);
    }
  }

  /** Whoever closes a connection need not read on, and a stranger takes its time to answer the close. */
  end(): void {
    this.#ended = true;
    this.#kept = [];
  }
}
