/**
 * A player's own WebSocket, as sessions use it: how it is read, written to and closed, and when its player reads too
 * slowly. A gateway has thousands of them and does little else, so that one does only what is needed here: frames of one
 * turn of the event loop leave together, and an idle one takes little memory.
 */
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { CLOSE_ABNORMAL, CLOSE_NO_STATUS, CLOSE_NORMAL } from "@centroid/protocol";
import { bytesOf, type FrameBytes } from "@centroid/sdk/session";
import { type FrameEvents, FrameReader } from "../websocket/frame-reader.js";
import {
  closeFrame,
  EMPTY_CLOSE,
  headBytes,
  pingFrame,
  pongFrame,
  writeHead,
} from "../websocket/frame-writer.js";
import type { TurnEnd } from "./turn-end.js";

/** Twice what room hosts take of a player in one message, so that it is they who say no. */
const MAX_MESSAGE_BYTES = 128 * 1024;
/** Unsent to one player; the room host is asked to wait from the first on, and the player put out at the second. */
const SLOW_BYTES = 256 * 1024;
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
const DRAIN_CHECK_MS = 20;
/** What a turn has for a player is copied into one buffer up to here; more is handed over piece by piece. */
const MAX_COPIED_BYTES = 16 * 1024;
/** A frame that came in a chunk so much larger than itself is copied, so that whoever keeps it keeps no more. */
const MAX_CHUNK_FACTOR = 4;
const SMALL_CHUNK_BYTES = 1024;
/** A player who does not answer a close is not waited for. */
const CLOSE_TIMEOUT_MS = 5_000;
const CLOSE_TLS = 1015;

export interface PlayerEvents {
  /** It stays as it is. */
  frame(data: Buffer): void;
  /** The player falls behind, or has caught up. */
  slow(slow: boolean): void;
  /** There and back, by a ping that its client answers by itself. */
  measured(rttMs: number): void;
  closed(code: number): void;
}

/** Over TLS it has the same methods and another class. */
type PlayerStream = Duplex & Partial<Pick<Socket, "setNoDelay" | "setTimeout">>;

export class PlayerSocket implements FrameEvents {
  readonly #stream: PlayerStream;
  readonly #turnEnd: TurnEnd;
  readonly #events: PlayerEvents;
  readonly #reader: FrameReader;
  #state: "open" | "closing" | "closed" = "open";
  /** With which code it is being closed. */
  #code = CLOSE_ABNORMAL;
  /** Of this turn. */
  #frames: FrameBytes[] = [];
  #drain: NodeJS.Timeout | undefined;
  #heard = true;
  /** The last ping that is not answered yet. */
  #ping = { number: 0, sentAtMs: Number.NaN };

  /**
   * @param stream carries nothing but WebSocket frames from now on; its errors are its owner's affair
   * @param head what has come of them
   */
  constructor(stream: PlayerStream, head: Buffer, turnEnd: TurnEnd, events: PlayerEvents) {
    this.#stream = stream;
    this.#turnEnd = turnEnd;
    this.#events = events;
    this.#reader = new FrameReader(MAX_MESSAGE_BYTES, this);
    stream.setNoDelay?.(true);
    stream.setTimeout?.(0);
    // Before anybody listens: it would be read here and now, by a session that is not made yet.
    if (head.byteLength > 0) stream.unshift(head);
    stream.on("data", (chunk: Buffer) => {
      this.#heard = true;
      this.#reader.take(chunk);
    });
    stream.on("end", () => this.#leave());
    stream.on("close", () => this.#closed());
  }

  /** @param frame stays as it is */
  send(frame: FrameBytes): void {
    if (this.#state === "open" && this.#frames.push(frame) === 1) this.#turnEnd.flushLater(this);
  }

  flush(): void {
    const frames = this.#frames;
    if (frames.length === 0 || this.#state !== "open") return;
    this.#frames = [];
    let bytes = 0;
    for (const { byteLength } of frames) bytes += headBytes(byteLength) + byteLength;
    if (bytes <= MAX_COPIED_BYTES) this.#stream.write(joined(frames, bytes));
    else {
      this.#stream.cork();
      for (const frame of frames) {
        const head = Buffer.allocUnsafe(headBytes(frame.byteLength));
        writeHead(head, 0, frame.byteLength);
        this.#stream.write(head);
        this.#stream.write(bytesOf(frame));
      }
      this.#stream.uncork();
    }
    const unsentBytes = this.#stream.writableLength;
    if (unsentBytes > MAX_UNSENT_BYTES) this.#stream.destroy();
    else if (unsentBytes > SLOW_BYTES && this.#drain === undefined) this.#wait();
  }

  /** Codes that may not be sent (RFC 6455, 7.4.1) are those of connections that broke: so does this one. */
  close(code: number, reason: string): void {
    if (this.#state !== "open") return;
    this.flush();
    if (code === CLOSE_NO_STATUS || code === CLOSE_ABNORMAL || code === CLOSE_TLS || code < CLOSE_NORMAL) {
      this.#stream.destroy();
      return;
    }
    this.#code = code;
    this.#sendClose(closeFrame(code, reason));
  }

  /** To be called now and then: who has not answered since the last time is gone. */
  check(): void {
    if (!this.#heard) this.#stream.destroy();
    else this.measure();
    this.#heard = false;
  }

  /** Asks how far the player is. */
  measure(): void {
    if (this.#state !== "open") return;
    this.#ping = { number: (this.#ping.number + 1) % 256, sentAtMs: performance.now() };
    this.#stream.write(pingFrame(this.#ping.number));
  }

  onMessage(data: Buffer): void {
    if (this.#state === "open") this.#events.frame(alone(data));
  }

  onPing(data: Buffer): void {
    if (this.#state === "open") this.#stream.write(pongFrame(data));
  }

  onPong(data: Buffer): void {
    const { number, sentAtMs } = this.#ping;
    if (this.#state !== "open" || Number.isNaN(sentAtMs) || data[0] !== number) return;
    this.#ping.sentAtMs = Number.NaN;
    this.#events.measured(performance.now() - sentAtMs);
  }

  onClose(code: number): void {
    if (this.#state === "open") {
      this.flush();
      this.#code = code;
      this.#sendClose(code === CLOSE_NO_STATUS ? EMPTY_CLOSE : closeFrame(code, ""));
    }
    this.#stream.end();
    this.#closed();
  }

  onViolation(closeCode: number): void {
    this.#sendClose(closeFrame(closeCode, ""));
    this.#stream.end();
  }

  #sendClose(frame: Buffer): void {
    if (this.#state !== "open") return;
    this.#stream.write(frame);
    this.#leave(false);
  }

  /** Nothing more is said. */
  #leave(end = true): void {
    if (end) this.#stream.end();
    if (this.#state !== "open") return;
    this.#state = "closing";
    this.#frames = [];
    const late = setTimeout(() => this.#stream.destroy(), CLOSE_TIMEOUT_MS);
    this.#stream.once("close", () => clearTimeout(late));
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    clearInterval(this.#drain);
    this.#events.closed(this.#code);
  }

  #wait(): void {
    this.#events.slow(true);
    this.#drain = setInterval(() => {
      if (this.#stream.writableLength > SLOW_BYTES / 2) return;
      clearInterval(this.#drain);
      this.#drain = undefined;
      this.#events.slow(false);
    }, DRAIN_CHECK_MS);
  }
}

function alone(data: Buffer): Buffer {
  const chunkBytes = data.buffer.byteLength;
  const wasteful = chunkBytes > SMALL_CHUNK_BYTES && chunkBytes > MAX_CHUNK_FACTOR * data.byteLength;
  return wasteful ? Buffer.from(data) : data;
}

function joined(frames: readonly FrameBytes[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafe(bytes);
  let at = 0;
  for (const frame of frames) {
    at = writeHead(whole, at, frame.byteLength);
    whole.set(bytesOf(frame), at);
    at += frame.byteLength;
  }
  return whole;
}
