/** What this client sent and the server has not confirmed: sent again after a move, from where it left off. */

/** Past this the oldest are dropped; a server confirms every 256 frames, so this means it is gone. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

export class Outbox {
  #frames: Uint8Array[] = [];
  #first = 0;
  #bytes = 0;

  /** Data frames sent on this session so far. */
  get sent(): number {
    return this.#first + this.#frames.length;
  }

  /** Keeps a copy: callers reuse their buffers. */
  push(frame: Uint8Array): Uint8Array {
    const copy = frame.slice();
    this.#frames.push(copy);
    this.#bytes += copy.byteLength;
    while (this.#bytes > MAX_KEPT_BYTES) this.#drop();
    return copy;
  }

  /** The server has the first `received`. */
  confirm(received: number): void {
    while (this.#first < received && this.#frames.length > 0) this.#drop();
  }

  /** Frames after the first `received`, and how many of them are not here any more. */
  after(received: number): { frames: readonly Uint8Array[]; missing: number } {
    return {
      frames: this.#frames.slice(Math.max(0, received - this.#first)),
      missing: Math.max(0, this.#first - received),
    };
  }

  reset(): void {
    this.#frames = [];
    this.#first = 0;
    this.#bytes = 0;
  }

  #drop(): void {
    const frame = this.#frames.shift();
    this.#bytes -= frame?.byteLength ?? 0;
    this.#first++;
  }
}
