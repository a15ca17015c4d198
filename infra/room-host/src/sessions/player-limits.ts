/** What one player's connection may send: frames of a limited size, so many a second. A hand-off's are not limited. */
import { CLOSE_TOO_FAST, type RateLimit, TokenBucket } from "@centroid/protocol";
import { CLOSE_TOO_LARGE, type ServerSocket } from "../sockets/server-socket.js";

/** Colyseus' own default is 4 KB, too small for a base64 picture or a full transform set. */
export const MAX_PLAYER_FRAME_BYTES = 64 * 1024;
/** Several times what a VR client sends that reports head and hands at 72 Hz. */
export const DEFAULT_MAX_FRAMES_PER_SECOND = 200;
/** At once: what piles up while the network, or this process, stands still so long. */
const BURST_S = 10;
/** What a player says again after its host was lost: it is waited for so long, and goes on talking meanwhile. */
const RESEND_S = 30;
const UNLIMITED: RateLimit = { perSecond: 0, burst: Number.POSITIVE_INFINITY };

/** Several times what a client sends that speaks, shares a picture now and then and reports its pose. */
export const DEFAULT_MAX_BYTES_PER_SECOND = 512 * 1024;

/** Of one player; 0 is no limit. */
export interface PlayerLimits {
  maxFramesPerSecond: number;
  maxBytesPerSecond: number;
}

/**
 * @param perSecond no limit if 0
 * @param resends this connection continues a session: it begins with what another one did not get through
 */
export function playerBucket(perSecond: number, resends: boolean, nowMs: number): TokenBucket {
  const limit = perSecond === 0 ? UNLIMITED : { perSecond, burst: perSecond * BURST_S };
  return new TokenBucket(limit, nowMs, limit.burst + (resends ? perSecond * RESEND_S : 0));
}

interface Connecting {
  /** This connection continues a session. */
  resends: boolean;
  measures: boolean;
}

/** The socket of a player, closed with a code and a reason when it sends more than it may. */
export class LimitedSocket implements ServerSocket {
  readonly #socket: ServerSocket;
  readonly #limits: PlayerLimits;
  readonly #frames: TokenBucket;
  readonly #bytes: TokenBucket;
  #open = true;
  readonly carried: boolean | undefined;
  readonly measures: boolean;

  constructor(socket: ServerSocket, limits: PlayerLimits, { resends, measures }: Connecting) {
    const nowMs = performance.now();
    this.#socket = socket;
    this.#limits = limits;
    this.#frames = playerBucket(limits.maxFramesPerSecond, resends, nowMs);
    this.#bytes = playerBucket(limits.maxBytesPerSecond, resends, nowMs);
    this.carried = socket.carried;
    this.measures = measures;
  }

  send(frame: Uint8Array): void {
    this.#socket.send(frame);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
  }

  onClose(listener: (code: number) => void): void {
    this.#socket.onClose(listener);
  }

  onMessage(listener: (frame: Buffer) => void): void {
    this.#socket.onMessage((frame) => {
      if (this.#admits(frame)) listener(frame);
    });
  }

  #admits({ byteLength }: Buffer): boolean {
    if (!this.#open) return false;
    const { maxFramesPerSecond, maxBytesPerSecond } = this.#limits;
    const nowMs = performance.now();
    if (byteLength > MAX_PLAYER_FRAME_BYTES)
      return this.#refuse(CLOSE_TOO_LARGE, `frame of ${byteLength} bytes; at most ${MAX_PLAYER_FRAME_BYTES}`);
    if (!this.#frames.take(nowMs))
      return this.#refuse(
        CLOSE_TOO_FAST,
        `more than ${maxFramesPerSecond} frames a second; send fewer and join again`,
      );
    if (!this.#bytes.take(nowMs, byteLength))
      return this.#refuse(
        CLOSE_TOO_FAST,
        `more than ${maxBytesPerSecond} bytes a second; send less and join again`,
      );
    return true;
  }

  #refuse(code: number, reason: string): false {
    this.#open = false;
    this.#socket.close(code, reason);
    return false;
  }
}
