/**
 * Reads players' sockets into one buffer that they share. Node does that for a socket that a program dials (`onread` of
 * `net.connect`) and offers it for none that a server accepts, where each read makes a buffer of 64 KiB, goes through a
 * stream, and waits for a tick: a third of what a gateway costs. The fields that this sets are Node's own;
 * test/gateway/shared-reads.test.ts names the versions that have them, and a socket without them is read as ever.
 */
import type { Duplex } from "node:stream";

/** As much as Node reads at once. */
const READ_BYTES = 64 * 1024;

interface Readable {
  _handle?: { useUserBuffer?: (buffer: Uint8Array) => void } | null;
  [field: symbol]: unknown;
}

export class SharedReads {
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);

  /**
   * @param onChunk is given what comes from now on, and may keep it
   * @returns false if that socket cannot be read so: then its `data` is to be listened to
   */
  read(socket: Duplex, onChunk: (chunk: Buffer) => void): boolean {
    const readable = socket as unknown as Readable;
    const handle = readable._handle;
    const [buffer, callback] = ["kBuffer", "kBufferCb"].map((name) =>
      Object.getOwnPropertySymbols(readable).find(({ description }) => description === name),
    );
    if (handle?.useUserBuffer === undefined || buffer === undefined || callback === undefined) return false;
    readable[buffer] = this.#buffer;
    readable[callback] = (bytes: number): boolean => {
      // A copy of the usual few bytes comes out of Node's pool.
      onChunk(Buffer.from(this.#buffer.subarray(0, bytes)));
      return true;
    };
    handle.useUserBuffer(this.#buffer);
    return true;
  }
}
