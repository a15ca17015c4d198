/** What one player's connection may send: frames of a limited size, so many a second. A hand-off's are not limited. */
import { CLOSE_TOO_FAST } from "@centroid/protocol";
import { CLOSE_TOO_LARGE, type ServerSocket } from "../sockets/server-socket.js";

/** Colyseus' own default is 4 KB, too small for a base64 picture or a full transform set. */
export const MAX_PLAYER_FRAME_BYTES = 64 * 1024;
/** Several times what a VR client sends that reports head and hands at 72 Hz. */
export const DEFAULT_MAX_FRAMES_PER_SECOND = 200;
/** At once: what piles up while the network, or this process, stands still so long. */
const BURST_S = 10;
/** What a player says again after its host was lost: it is waited for so long, and goes on talking meanwhile. */
const RESEND_S = 30;

/** Several times what a client sends that speaks, shares a picture now and then and reports its pose. */
export const DEFAULT_MAX_BYTES_PER_SECOND = 512 * 1024;

/** Of one player; 0 is no limit. */
export interface PlayerLimits {
  maxFramesPerSecond: number;
  maxBytesPerSecond: number;
}

/** A token bucket: a full one admits `perSecond * BURST_S` at once and `perSecond` in the long run. */
export class Budget {
  readonly #perSecond: number;
  #tokens: number;
  #atMs: number;

  /**
   * @param perSecond no limit if 0
   * @param resends this connection goes on with a session: it begins with what another one did not get through
   */
  constructor(perSecond: number, resends: boolean, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond * (BURST_S + (resends ? RESEND_S : 0));
    this.#atMs = nowMs;
  }

  /** False if this frame, or so many bytes, is too much. */
  admit(nowMs: number, amount = 1): boolean {
    if (this.#perSecond === 0) return true;
    const refilled = this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    // What a resend began with is used up, not cut down.
    this.#tokens = Math.max(this.#tokens, Math.min(this.#perSecond * BURST_S, refilled));
    this.#atMs = nowMs;
    if (this.#tokens < amount) return false;
    this.#tokens -= amount;
    return true;
  }
}

/** The socket of a player, closed with a code and a reason when it sends more than it may. */
export function limited(socket: ServerSocket, limits: PlayerLimits, resends: boolean): ServerSocket {
  const { maxFramesPerSecond, maxBytesPerSecond } = limits;
  const frames = new Budget(maxFramesPerSecond, resends, performance.now());
  const bytes = new Budget(maxBytesPerSecond, resends, performance.now());
  let open = true;
  const refuse = (code: number, reason: string): void => {
    open = false;
    socket.close(code, reason);
  };
  return {
    send: (frame) => socket.send(frame),
    close: (code, reason) => socket.close(code, reason),
    onClose: (listener) => socket.onClose(listener),
    onMessage: (listener) =>
      socket.onMessage((frame) => {
        if (!open) return;
        const nowMs = performance.now();
        if (frame.byteLength > MAX_PLAYER_FRAME_BYTES)
          refuse(CLOSE_TOO_LARGE, `frame of ${frame.byteLength} bytes; at most ${MAX_PLAYER_FRAME_BYTES}`);
        else if (!frames.admit(nowMs))
          refuse(
            CLOSE_TOO_FAST,
            `more than ${maxFramesPerSecond} frames a second; send fewer and join again`,
          );
        else if (!bytes.admit(nowMs, frame.byteLength))
          refuse(CLOSE_TOO_FAST, `more than ${maxBytesPerSecond} bytes a second; send less and join again`);
        else listener(frame);
      }),
  };
}
