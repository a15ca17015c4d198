/**
 * One stream of a trunk in both directions, as a pure state machine: counts, keeps, holds, sends again. A frame is kept
 * until the other end has counted it, so that a connection which breaks costs nothing: on the next one both ends say how
 * far they got, and the rest follows. What is under way is bounded per stream, so that a slow reader slows only itself.
 */

/** Bytes of a stream that are on the wire without an answer; more waits here. */
const WINDOW_BYTES = 256 * 1024;
/** Bytes kept of a stream whose other end does not take them; past this it has to end. */
export const MAX_KEPT_BYTES = 8 * 1024 * 1024;
/** After so much the other end is told what arrived. */
const ACK_FRAMES = 32;
const ACK_BYTES = 64 * 1024;

export class Channel<Frame extends { readonly byteLength: number } = Uint8Array> {
  /** Frames given to {@link send}, and frames counted by {@link take}. */
  #sent = 0;
  #received = 0;
  /** Frames after the first `#acknowledged`, oldest first. */
  #kept: Frame[] = [];
  #keptBytes = 0;
  #acknowledged = 0;
  /** So many of the kept ones, and their bytes, are on the connection of now. */
  #written = 0;
  #writtenBytes = 0;
  #write: ((frame: Frame) => void) | undefined;
  #told = 0;
  #untoldBytes = 0;

  /** Frames that this end has counted. */
  get received(): number {
    return this.#received;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Bytes that the other end has not counted yet. */
  get keptBytes(): number {
    return this.#keptBytes;
  }

  get attached(): boolean {
    return this.#write !== undefined;
  }

  /**
   * A frame for the other end; it is kept, so its bytes must not change afterwards.
   * @returns false if too much is kept already: the stream has to end
   */
  send(frame: Frame): boolean {
    if (this.#keptBytes > MAX_KEPT_BYTES) return false;
    this.#sent++;
    this.#kept.push(frame);
    this.#keptBytes += frame.byteLength;
    this.#pump();
    return true;
  }

  /** One frame of the other end. */
  take(bytes: number): void {
    this.#received++;
    this.#untoldBytes += bytes;
  }

  /** How many frames to confirm, if it is time to; the caller does, or asks again later. */
  dueAck(): number | undefined {
    const due = this.#received - this.#told >= ACK_FRAMES || this.#untoldBytes >= ACK_BYTES;
    if (!due) return undefined;
    this.#told = this.#received;
    this.#untoldBytes = 0;
    return this.#received;
  }

  /** The other end has counted so many frames. @returns false if that cannot be */
  acknowledge(received: number): boolean {
    if (received < this.#acknowledged || received > this.#sent) return false;
    const freed = this.#kept.splice(0, received - this.#acknowledged);
    this.#acknowledged = received;
    for (const { byteLength } of freed) {
      this.#keptBytes -= byteLength;
      if (this.#written === 0) continue;
      this.#written--;
      this.#writtenBytes -= byteLength;
    }
    this.#pump();
    return true;
  }

  /**
   * A connection carries the stream from now on: what the other end does not have goes out again.
   * @param received frames that the other end says it has
   * @returns false if that cannot be
   */
  attach(received: number, write: (frame: Frame) => void): boolean {
    this.#write = undefined;
    this.#written = 0;
    this.#writtenBytes = 0;
    this.#told = this.#received;
    this.#untoldBytes = 0;
    if (!this.acknowledge(received)) return false;
    this.#write = write;
    this.#pump();
    return true;
  }

  /** The connection has gone; what is sent waits for the next. */
  detach(): void {
    this.#write = undefined;
  }

  #pump(): void {
    while (this.#write !== undefined && this.#writtenBytes < WINDOW_BYTES) {
      const frame = this.#kept[this.#written];
      if (frame === undefined) return;
      this.#written++;
      this.#writtenBytes += frame.byteLength;
      this.#write(frame);
    }
  }
}
