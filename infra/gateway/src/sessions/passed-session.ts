/** A session of Centroid's SDK, which follows its room itself: frames pass as they are. */
import { CLOSE_ROOM_MOVED } from "@centroid/protocol";
import type { WebSocket } from "ws";
import { PlayerSocket } from "./player-socket.js";
import type { UpstreamSocket } from "./session-dialer.js";

const OPEN = 1;
/** Said before the way to the room is open; a client waits for the room's first words. */
const MAX_EARLY_BYTES = 256 * 1024;
const CLOSE_TOO_LARGE = 1009;

export class PassedSession {
  readonly #player: PlayerSocket;

  constructor(player: WebSocket, upstream: UpstreamSocket) {
    const socket = new PlayerSocket(player, (slow) => {
      upstream.slow = slow;
    });
    this.#player = socket;
    const early: Buffer[] = [];
    let earlyBytes = 0;
    upstream.onopen = () => {
      for (const frame of early.splice(0)) upstream.send(frame);
    };
    upstream.onmessage = ({ data }) => socket.send(data);
    upstream.onerror = () => undefined;
    upstream.onclose = ({ code, reason }) => socket.close(code, reason);
    player.on("message", (data: Buffer) => {
      if (upstream.readyState === OPEN) {
        upstream.send(data);
        return;
      }
      earlyBytes += data.byteLength;
      if (earlyBytes > MAX_EARLY_BYTES) socket.close(CLOSE_TOO_LARGE, "too much too early");
      else early.push(data);
    });
    player.on("close", (code) => upstream.close(code));
  }

  /** The gateway ends: the player is to come again. */
  end(): void {
    this.#player.close(CLOSE_ROOM_MOVED, "gateway stops");
  }
}
