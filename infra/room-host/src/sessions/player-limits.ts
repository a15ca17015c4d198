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

/** The socket of a player, closed with a code and a reason when it sends more than it may. */
export function limited(
  socket: ServerSocket,
  limits: PlayerLimits,
  { resends, measures }: { resends: boolean; measures: boolean },
): ServerSocket {
  const { maxFramesPerSecond, maxBytesPerSecond } = limits;
  const frames = playerBucket(maxFramesPerSecond, resends, performance.now());
  const bytes = playerBucket(maxBytesPerSecond, resends, performance.now());
  let open = true;
  const refuse = (code: number, reason: string): void => {
    open = false;
    socket.close(code, reason);
  };
  return {
    carried: socket.carried,
    measures,
    send: (frame) => socket.send(frame),
    close: (code, reason) => socket.close(code, reason),
    onClose: (listener) => socket.onClose(listener),
    onMessage: (listener) =>
      socket.onMessage((frame) => {
        if (!open) return;
        const nowMs = performance.now();
        if (frame.byteLength > MAX_PLAYER_FRAME_BYTES)
          refuse(CLOSE_TOO_LARGE, `frame of ${frame.byteLength} bytes; at most ${MAX_PLAYER_FRAME_BYTES}`);
        else if (!frames.take(nowMs))
          refuse(
            CLOSE_TOO_FAST,
            `more than ${maxFramesPerSecond} frames a second; send fewer and join again`,
          );
        else if (!bytes.take(nowMs, frame.byteLength))
          refuse(CLOSE_TOO_FAST, `more than ${maxBytesPerSecond} bytes a second; send less and join again`);
        else listener(frame);
      }),
  };
}
