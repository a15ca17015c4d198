/**
 * Writes a trunk's frames: those of one turn of the event loop leave as one message, whichever streams they are of. So a
 * turn costs one system call and one masking, and the other end is called once.
 */
import { type CountedFrame, framedBytes, frameParts, type TrunkFrame, writeFrame } from "./frames.js";

/** A pack that has grown so far leaves at once. */
const FULL_BYTES = 64 * 1024;
const SMALL_BYTES = 512;

export class TrunkPacker {
  readonly #send: (pack: Buffer) => void;
  readonly #afterTurn: (then: () => void) => void;
  #pack: Buffer | undefined;
  #length = 0;
  /** What the next pack is made for: half as much again as the last one was. */
  #expectedBytes = SMALL_BYTES;
  #awaited = false;

  /**
   * @param send may keep the pack
   * @param afterTurn runs what it is given when the turn is over: Node's `setImmediate`
   */
  constructor(send: (pack: Buffer) => void, afterTurn: (then: () => void) => void) {
    this.#send = send;
    this.#afterTurn = afterTurn;
  }

  /** A frame of a channel. Its bytes are copied before this returns. */
  counted(stream: number, frame: CountedFrame): void {
    if (frame instanceof Uint8Array) this.#write("data", stream, frame);
    else this.#write(frame.type, stream, frame.body);
  }

  say(frame: TrunkFrame): void {
    const [type, stream, body] = frameParts(frame);
    this.#write(type, stream, body);
  }

  /** What there is leaves now. */
  flush(): void {
    const pack = this.#pack;
    if (pack === undefined) return;
    this.#pack = undefined;
    this.#expectedBytes = Math.min(FULL_BYTES, Math.max(SMALL_BYTES, Math.ceil(this.#length * 1.5)));
    this.#send(pack.subarray(0, this.#length));
  }

  #write(type: Parameters<typeof writeFrame>[2], stream: number, body: Uint8Array): void {
    const bytes = framedBytes(body.byteLength);
    if (this.#pack !== undefined && this.#length + bytes > this.#pack.byteLength) this.#outgrown(bytes);
    if (this.#pack === undefined) {
      this.#pack = Buffer.allocUnsafe(Math.max(bytes, this.#expectedBytes));
      this.#length = 0;
      this.#flushAfterTurn();
    }
    this.#length = writeFrame(this.#pack, this.#length, type, stream, body);
    if (this.#length >= FULL_BYTES) this.flush();
  }

  /** The pack has no room for that: a turn of many frames is still one pack. */
  #outgrown(bytes: number): void {
    const needed = this.#length + bytes;
    if (this.#pack === undefined || needed > FULL_BYTES) {
      this.flush();
      return;
    }
    const larger = Buffer.allocUnsafe(Math.min(FULL_BYTES, Math.max(needed, 2 * this.#pack.byteLength)));
    larger.set(this.#pack.subarray(0, this.#length));
    this.#pack = larger;
  }

  #flushAfterTurn(): void {
    if (this.#awaited) return;
    this.#awaited = true;
    this.#afterTurn(() => {
      this.#awaited = false;
      this.flush();
    });
  }
}
