/**
 * Reads what a client sends on a WebSocket (RFC 6455, 5): masked frames in any chunks. A frame that lies in one chunk, as
 * nearly all of a game's do, is unmasked where it is and given on without a copy.
 */
import { isUtf8 } from "node:buffer";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_NORMAL } from "@centroid/protocol";

const FIN = 0x80;
const RESERVED = 0x70;
const OPCODE = 0x0f;
const MASKED = 0x80;
const LENGTH = 0x7f;
const LENGTH_16_BIT = 126;
const LENGTH_64_BIT = 127;
const MASK_BYTES = 4;
const MAX_CONTROL_BYTES = 125;
/** Parts of a message that are kept apart; beyond that they are put together, since a small one costs far more than its bytes. */
const MAX_PARTS = 64;

const CONTINUATION = 0x0;
const TEXT = 0x1;
const BINARY = 0x2;
const CLOSE = 0x8;
const PING = 0x9;
const PONG = 0xa;

/** Close codes of RFC 6455, 7.4.1. */
const PROTOCOL_ERROR = 1002;
const INVALID_TEXT = 1007;
const TOO_LARGE = 1009;

export interface FrameEvents {
  /** A whole message; its bytes stay as they are. */
  onMessage(data: Buffer): void;
  onPing(data: Buffer): void;
  onPong(data: Buffer): void;
  /** The client closes; nothing more is read. */
  onClose(code: number): void;
  /** It does not keep to the protocol; nothing more is read. */
  onViolation(closeCode: number): void;
}

interface Head {
  fin: boolean;
  opcode: number;
  bytes: number;
  headBytes: number;
}

export class FrameReader {
  readonly #maxBytes: number;
  readonly #events: FrameEvents;
  /** What has come of a frame that is not whole. */
  #chunks: Buffer[] = [];
  #available = 0;
  /** So much of it is needed to go on. */
  #needed = 0;
  /** Of a message in several frames. */
  #parts: Buffer[] | undefined;
  #partBytes = 0;
  #isText = false;
  #ended = false;

  /** @param maxBytes of a message */
  constructor(maxBytes: number, events: FrameEvents) {
    this.#maxBytes = maxBytes;
    this.#events = events;
  }

  /** @param chunk is this reader's from now on */
  take(chunk: Buffer): void {
    if (this.#ended) return;
    let rest = chunk;
    if (this.#available > 0) {
      this.#chunks.push(chunk);
      this.#available += chunk.byteLength;
      // Put together only when that leads on, however small the chunks are.
      if (this.#available < this.#needed) return;
      rest = Buffer.concat(this.#chunks, this.#available);
      this.#chunks = [];
      this.#available = 0;
    }
    let at = 0;
    while (!this.#ended && at < rest.byteLength) {
      const head = this.#head(rest, at);
      if (this.#ended) return;
      if (head === undefined || at + this.#needed > rest.byteLength) {
        this.#chunks = [at === 0 ? rest : rest.subarray(at)];
        this.#available = rest.byteLength - at;
        return;
      }
      const from = at + head.headBytes;
      at = from + head.bytes;
      const payload = rest.subarray(from, at);
      unmask(payload, rest, from - MASK_BYTES);
      this.#frame(head, payload);
    }
  }

  /** Says how much is needed of the frame there. @returns undefined if its head is not whole, or not right */
  #head(chunk: Buffer, at: number): Head | undefined {
    this.#needed = 2;
    if (at + this.#needed > chunk.byteLength) return undefined;
    const first = chunk[at] ?? 0;
    const second = chunk[at + 1] ?? 0;
    const opcode = first & OPCODE;
    const fin = (first & FIN) !== 0;
    const length = second & LENGTH;
    const isControl = opcode >= CLOSE;
    if ((first & RESERVED) !== 0 || (second & MASKED) === 0) return this.#violation(PROTOCOL_ERROR);
    if (isControl ? opcode > PONG || !fin || length > MAX_CONTROL_BYTES : opcode > BINARY)
      return this.#violation(PROTOCOL_ERROR);
    // A message begins with its type and goes on without.
    if (!isControl && (opcode === CONTINUATION) !== (this.#parts !== undefined))
      return this.#violation(PROTOCOL_ERROR);
    const lengthBytes = length === LENGTH_16_BIT ? 2 : length === LENGTH_64_BIT ? 8 : 0;
    this.#needed = 2 + lengthBytes;
    if (at + this.#needed > chunk.byteLength) return undefined;
    const bytes =
      lengthBytes === 0
        ? length
        : lengthBytes === 2
          ? chunk.readUInt16BE(at + 2)
          : Number(chunk.readBigUInt64BE(at + 2));
    if (!isControl && bytes + this.#partBytes > this.#maxBytes) return this.#violation(TOO_LARGE);
    const headBytes = this.#needed + MASK_BYTES;
    this.#needed = headBytes + bytes;
    return { fin, opcode, bytes, headBytes };
  }

  #frame({ fin, opcode }: Head, payload: Buffer): void {
    switch (opcode) {
      case CLOSE:
        this.#close(payload);
        return;
      case PING:
        this.#events.onPing(payload);
        return;
      case PONG:
        this.#events.onPong(payload);
        return;
      default:
        if (opcode !== CONTINUATION) this.#isText = opcode === TEXT;
        if (fin && this.#parts === undefined) this.#message(payload);
        else this.#part(payload, fin);
    }
  }

  #part(payload: Buffer, last: boolean): void {
    const parts = this.#parts ?? [];
    this.#parts = parts;
    // Of empty ones a client may send as many as it likes.
    if (payload.byteLength > 0) parts.push(payload);
    this.#partBytes += payload.byteLength;
    if (!last && parts.length < MAX_PARTS) return;
    const whole = Buffer.concat(parts, this.#partBytes);
    if (!last) {
      this.#parts = [whole];
      return;
    }
    this.#parts = undefined;
    this.#partBytes = 0;
    this.#message(whole);
  }

  #message(data: Buffer): void {
    if (this.#isText && !isUtf8(data)) this.#violation(INVALID_TEXT);
    else this.#events.onMessage(data);
  }

  #close(payload: Buffer): void {
    const code =
      payload.byteLength === 0 ? CLOSE_NO_STATUS : payload.byteLength === 1 ? 0 : payload.readUInt16BE();
    if (payload.byteLength > 0 && (!isCloseCode(code) || !isUtf8(payload.subarray(2)))) {
      this.#violation(PROTOCOL_ERROR);
      return;
    }
    this.#ended = true;
    this.#events.onClose(code);
  }

  #violation(closeCode: number): undefined {
    this.#ended = true;
    this.#chunks = [];
    this.#parts = undefined;
    this.#events.onViolation(closeCode);
    return undefined;
  }
}

/** Codes that may be on the wire (RFC 6455, 7.4). */
const isCloseCode = (code: number): boolean =>
  (code >= CLOSE_NORMAL &&
    code <= 1014 &&
    code !== 1004 &&
    code !== CLOSE_NO_STATUS &&
    code !== CLOSE_ABNORMAL) ||
  (code >= 3000 && code <= 4999);

function unmask(payload: Buffer, chunk: Buffer, maskAt: number): void {
  const [a, b, c, d] = [
    chunk[maskAt],
    chunk[maskAt + 1],
    chunk[maskAt + 2],
    chunk[maskAt + 3],
  ] as number[] as [number, number, number, number];
  const { byteLength } = payload;
  let at = 0;
  for (; at + 3 < byteLength; at += 4) {
    payload[at] = (payload[at] as number) ^ a;
    payload[at + 1] = (payload[at + 1] as number) ^ b;
    payload[at + 2] = (payload[at + 2] as number) ^ c;
    payload[at + 3] = (payload[at + 3] as number) ^ d;
  }
  if (at < byteLength) payload[at] = (payload[at] as number) ^ a;
  if (at + 1 < byteLength) payload[at + 1] = (payload[at + 1] as number) ^ b;
  if (at + 2 < byteLength) payload[at + 2] = (payload[at + 2] as number) ^ c;
}
