/** A session of Centroid's SDK, which follows its room itself: frames pass as they are. */
import { CLOSE_ABNORMAL, CLOSE_GOING_OVER, CLOSE_ROOM_MOVED } from "@centroid/protocol";
import type { PlayerEvents, PlayerSocket } from "./player-socket.js";
import type { UpstreamSocket } from "./session-dialer.js";

const OPEN = 1;
/** Said before the way to the room is open; a client waits for the room's first words. */
const MAX_EARLY_BYTES = 256 * 1024;
const CLOSE_TOO_LARGE = 1009;
/** As long as a room host waits for the players of a gateway that has ended. */
const GO_OVER_MS = 5_000;

export class PassedSession implements PlayerEvents {
  readonly #player: PlayerSocket;
  readonly #upstream: UpstreamSocket;
  /** What was said before there is a way to the room. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  #leaving = false;

  /** @param open makes the player's socket, whose events are this session's */
  constructor(open: (events: PlayerEvents) => PlayerSocket, upstream: UpstreamSocket) {
    this.#upstream = upstream;
    this.#player = open(this);
    upstream.onopen = () => {
      for (const frame of this.#early.splice(0)) upstream.send(frame);
    };
    upstream.onmessage = ({ data }) => this.#player.send(data);
    upstream.onerror = () => undefined;
    upstream.onclose = ({ code, reason }) => this.#player.close(code, reason);
  }

  frame(data: Buffer): void {
    if (this.#upstream.readyState === OPEN) {
      this.#upstream.send(data);
      return;
    }
    this.#earlyBytes += data.byteLength;
    if (this.#earlyBytes > MAX_EARLY_BYTES) this.#player.close(CLOSE_TOO_LARGE, "too much too early");
    else this.#early.push(data);
  }

  slow(slow: boolean): void {
    this.#upstream.slow = slow;
  }

  /** Its own client measures. */
  measured(): void {}

  closed(code: number): void {
    if (!this.#leaving && code !== CLOSE_GOING_OVER) {
      this.#upstream.close(code);
      return;
    }
    // It goes on by another gateway, with its counters: the room is not to take it for gone, unless it does not come.
    setTimeout(() => this.#upstream.close(CLOSE_ABNORMAL), GO_OVER_MS).unref();
  }

  /** To be called now and then: ends a session whose player is gone. */
  check(): void {
    this.#player.check();
  }

  /** The gateway ends: the player is to come again. */
  end(): void {
    this.#leaving = true;
    this.#player.close(CLOSE_ROOM_MOVED, "gateway stops");
  }
}
