/** A player's own WebSocket, as sessions use it: how it is closed, and when its player reads too slowly. */
import type { WebSocket } from "ws";

/** Unsent to one player; the room host is asked to wait from the first on, and the player put out at the second. */
const SLOW_BYTES = 256 * 1024;
const MAX_UNSENT_BYTES = 16 * 1024 * 1024;
const DRAIN_CHECK_MS = 20;

export class PlayerSocket {
  readonly #ws: WebSocket;
  readonly #onSlow: (slow: boolean) => void;
  #drain: NodeJS.Timeout | undefined;

  /** @param onSlow told when the player falls behind, and when it has caught up */
  constructor(ws: WebSocket, onSlow: (slow: boolean) => void) {
    this.#ws = ws;
    this.#onSlow = onSlow;
    ws.on("error", () => ws.terminate());
    ws.on("close", () => clearInterval(this.#drain));
  }

  send(frame: ArrayBuffer): void {
    const ws = this.#ws;
    if (ws.readyState !== ws.OPEN) return;
    ws.send(frame);
    if (ws.bufferedAmount > MAX_UNSENT_BYTES) ws.terminate();
    else if (ws.bufferedAmount > SLOW_BYTES && this.#drain === undefined) this.#wait();
  }

  /** Codes that may not be sent (RFC 6455, 7.4.1) are those of connections that broke: so does this one. */
  close(code: number, reason: string): void {
    if (code === 1005 || code === 1006 || code === 1015 || code < 1000) this.#ws.terminate();
    else this.#ws.close(code, reason);
  }

  #wait(): void {
    this.#onSlow(true);
    this.#drain = setInterval(() => {
      if (this.#ws.bufferedAmount > SLOW_BYTES / 2) return;
      clearInterval(this.#drain);
      this.#drain = undefined;
      this.#onSlow(false);
    }, DRAIN_CHECK_MS);
  }
}
