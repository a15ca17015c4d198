/** One emulated connection: two sockets and the distance between them. */
import { connect, type Socket } from "node:net";
import type { DeadlineQueue } from "./deadline-queue.js";
import { DelayedPipe } from "./delayed-pipe.js";
import { refusal } from "./request.js";

const LOOPBACK = "127.0.0.1";

export interface LinkOptions {
  readonly player: Socket;
  /** Where the host listens; loopback if not given. */
  readonly address?: string;
  readonly port: number;
  /** First bytes for the host: the request with its prefix taken off. */
  readonly forward: Buffer;
  readonly queue: DeadlineQueue;
  /** Round trip now, ms. */
  readonly rttMs: () => number;
  /** Random extra delay of one chunk, ms. */
  readonly jitterMs: () => number;
  readonly onClosed: () => void;
}

/**
 * Joins a player's socket and a host's with a delay of half the round trip each way.
 * The first bytes wait one round trip more: that is the TCP handshake, which the loopback made for free.
 */
export class EmulatedLink implements Disposable {
  readonly #options: LinkOptions;
  readonly #host: Socket;
  readonly #toHost: DelayedPipe;
  readonly #toPlayer: DelayedPipe;
  #connected = false;
  #closed = false;

  constructor(options: LinkOptions) {
    this.#options = options;
    const { player, queue, rttMs, jitterMs } = options;
    const delayMs = () => rttMs() / 2 + jitterMs();
    this.#host = connect({
      host: options.address ?? LOOPBACK,
      port: options.port,
      allowHalfOpen: true,
      noDelay: true,
    });
    this.#toHost = new DelayedPipe({ queue, delayMs, throttle: (paused) => throttle(player, paused) });
    this.#toPlayer = new DelayedPipe({ queue, delayMs, throttle: (paused) => throttle(this.#host, paused) });
    this.#toPlayer.attach(player);
    this.#toHost.push(options.forward, rttMs());
    this.#wire(player, this.#toHost);
    this.#wire(this.#host, this.#toPlayer);
    this.#host.once("connect", () => {
      this.#connected = true;
      this.#toHost.attach(this.#host);
    });
  }

  [Symbol.dispose](): void {
    this.#close();
  }

  /** Moves one socket's bytes, end and failure into the pipe that leads to the other. */
  #wire(from: Socket, pipe: DelayedPipe): void {
    from.on("data", (data: Buffer) => pipe.push(data));
    from.on("end", () => pipe.end());
    from.on("error", (error) => {
      if (from === this.#host && !this.#connected) {
        pipe.push(refusal(502, `nothing answers on port ${this.#options.port}: ${error.message}`));
        pipe.end();
      } else {
        pipe.reset();
      }
    });
    from.on("close", (hadError) => {
      if (!hadError && !from.readableEnded) pipe.reset();
      this.#settle();
    });
    from.on("finish", () => this.#settle());
    from.resume();
  }

  /** Lets go of what can no longer arrive; called whenever a side is done. */
  #settle(): void {
    const { player } = this.#options;
    if (player.closed && this.#host.closed) this.#close();
    else if (player.closed) this.#toPlayer.close();
    else if (this.#host.closed) {
      this.#toHost.close();
      if (player.writableFinished) player.destroy();
    }
  }

  #close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#toHost.close();
    this.#toPlayer.close();
    this.#options.player.destroy();
    this.#host.destroy();
    this.#options.onClosed();
  }
}

function throttle(socket: Socket, paused: boolean): void {
  if (paused) socket.pause();
  else socket.resume();
}
