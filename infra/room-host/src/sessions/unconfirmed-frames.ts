/** Copies of what was sent to a client and may be lost on the way without its connection's end: kept until it confirms. */

/** Past this nothing is kept until the client has confirmed what there was: it cannot go on elsewhere meanwhile. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

export class UnconfirmedFrames {
  #frames: Uint8Array[] = [];
  #bytes = 0;
  /** Frames before the first one that is kept. */
  #from: number;

  /** @param sent so many were sent before */
  constructor(sent: number) {
    this.#from = sent;
  }

  /** @param frame may be reused by the caller */
  push(frame: Uint8Array): void {
    this.#frames.push(Buffer.from(frame));
    this.#bytes += frame.byteLength;
    if (this.#bytes > MAX_KEPT_BYTES) this.#drop(this.#frames.length);
  }

  /** The client has the first `received`. */
  confirm(received: number): void {
    if (received > this.#from) this.#drop(Math.min(received - this.#from, this.#frames.length));
  }

  /** What follows the first `received`; undefined if some of it is not kept. */
  after(received: number): Uint8Array[] | undefined {
    const at = received - this.#from;
    return at < 0 || at > this.#frames.length ? undefined : this.#frames.slice(at);
  }

  #drop(count: number): void {
    for (const { byteLength } of this.#frames.splice(0, count)) this.#bytes -= byteLength;
    this.#from += count;
  }
}
