/** Writes what a server says on a WebSocket (RFC 6455, 5.2): whole messages in one frame each, unmasked. */

const FIN = 0x80;
const BINARY = FIN | 0x2;
const CLOSE = FIN | 0x8;
const PING = FIN | 0x9;
const PONG = FIN | 0xa;
const MAX_SHORT_BYTES = 125;
const MAX_16_BIT_BYTES = 65_535;
const LENGTH_16_BIT = 126;
const LENGTH_64_BIT = 127;
/** RFC 6455, 5.5, less the code. */
const MAX_REASON_BYTES = 123;

/** Bytes before a message of that size. */
export const headBytes = (bytes: number): number =>
  bytes <= MAX_SHORT_BYTES ? 2 : bytes <= MAX_16_BIT_BYTES ? 4 : 10;

/** Head of a binary message. @returns where the message begins */
export function writeHead(into: Buffer, at: number, bytes: number): number {
  into[at] = BINARY;
  if (bytes <= MAX_SHORT_BYTES) {
    into[at + 1] = bytes;
    return at + 2;
  }
  if (bytes <= MAX_16_BIT_BYTES) {
    into[at + 1] = LENGTH_16_BIT;
    return into.writeUInt16BE(bytes, at + 2);
  }
  into[at + 1] = LENGTH_64_BIT;
  return into.writeBigUInt64BE(BigInt(bytes), at + 2);
}

export function closeFrame(code: number, reason: string): Buffer {
  const words = Buffer.from(reason).subarray(0, MAX_REASON_BYTES);
  const frame = Buffer.allocUnsafe(4 + words.byteLength);
  frame[0] = CLOSE;
  frame[1] = 2 + words.byteLength;
  frame.writeUInt16BE(code, 2);
  frame.set(words, 4);
  return frame;
}

/** The answer to a close without a code. */
export const EMPTY_CLOSE: Buffer = Buffer.from([CLOSE, 0]);

/** @param number one byte that the answer repeats */
export const pingFrame = (number: number): Buffer => Buffer.from([PING, 1, number]);

export function pongFrame(data: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(2 + data.byteLength);
  frame[0] = PONG;
  frame[1] = data.byteLength;
  frame.set(data, 2);
  return frame;
}
