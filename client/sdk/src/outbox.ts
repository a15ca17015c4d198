/**
 * What this client sent and what does not survive the room's host yet: sent again to whoever has the room next, from
 * where that one left off. A host that has processed a frame may still die before it is saved, so only an `ack` frees it.
 */

/** Past this the oldest are dropped: the room is not being saved, and keeping more would fill the memory. */
const MAX_KEPT_BYTES = 4 * 1024 * 1024;

export class Outbox {
  /** Oldest first, under keys that follow each other: of small frames there may be hundreds of thousands. */
  readonly #frames = new Map<number, Uint8Array>();
  #oldestKey = 0;
  /** Frames before the oldest that is kept, as hosts count. */
  #first = 0;
  #bytes = 0;

  /** Data frames sent on this session so far. */
  get sent(): number {
    return this.#first + this.#frames.size;
  }

  /** @param frame must not change afterwards */
  push(frame: Uint8Array): void {
    this.#frames.set(this.#oldestKey + this.#frames.size, frame);
    this.#bytes += frame.byteLength;
    while (this.#bytes > MAX_KEPT_BYTES) this.#drop();
  }

  /** The first `received` survive the room's host. */
  confirm(received: number): void {
    while (this.#first < received && this.#frames.size > 0) this.#drop();
  }

  /**
   * A host goes on after the first `received`: what is to be sent to it, and how many of its frames are not here any
   * more. Those are lost, and the frames that follow them take their numbers, as the host counts them.
   */
  goOnAfter(received: number): { frames: readonly Uint8Array[]; missing: number } {
    const missing = Math.max(0, this.#first - received);
    if (missing > 0) this.#first = received;
    return { frames: [...this.#frames.values()].slice(received - this.#first), missing };
  }

  /** Forgets the last `count` frames, which somebody else sends. */
  withdraw(count: number): void {
    for (let left = Math.min(count, this.#frames.size); left > 0; left--) {
      const key = this.#oldestKey + this.#frames.size - 1;
      this.#bytes -= this.#frames.get(key)?.byteLength ?? 0;
      this.#frames.delete(key);
    }
  }

  #drop(): void {
    const frame = this.#frames.get(this.#oldestKey);
    this.#frames.delete(this.#oldestKey++);
    this.#bytes -= frame?.byteLength ?? 0;
    this.#first++;
  }
}
