/** A destination's connection from its source: what comes is handled one after the other, in order, with what else is done to the room. */
import { CentroidError, CLOSE_NORMAL } from "@centroid/protocol";
import type { ServerSocket } from "../sockets/server-socket.js";
import { decodeFromSource, encodeTransfer, type FromDestination, type FromSource } from "./handoff-wire.js";

export interface SourceLineOptions {
  handle: (message: FromSource, arrivedAtMs: number) => Promise<void>;
  /** Something could not be done: the source is to hear it. */
  onFailed: (cause: unknown) => void;
  /** What came is no message of a hand-off. */
  onInvalid: (error: CentroidError) => void;
  /** The connection has ended, and all that came by it was handled. */
  onGone: () => void;
  now: () => number;
}

export class SourceLine {
  readonly #options: SourceLineOptions;
  #socket: ServerSocket | undefined;
  #work: Promise<void> = Promise.resolve();

  constructor(options: SourceLineOptions) {
    this.#options = options;
  }

  /** The source is connected. */
  get connected(): boolean {
    return this.#socket !== undefined;
  }

  accept(socket: ServerSocket): void {
    const { handle, onInvalid, onGone, now } = this.#options;
    this.#socket = socket;
    socket.onMessage((frame) => {
      let message: FromSource;
      try {
        // A copy: uWebSockets.js takes its memory back when the callback returns.
        message = decodeFromSource(Buffer.from(frame));
      } catch (cause) {
        onInvalid(CentroidError.from(cause));
        return;
      }
      const arrivedAtMs = now();
      this.afterThat(() => handle(message, arrivedAtMs));
    });
    socket.onClose(() => {
      this.#socket = undefined;
      this.inTurn(onGone);
    });
  }

  /** True while that is the source's connection: it is not if it had ended before. */
  isBy(socket: ServerSocket): boolean {
    return this.#socket === socket;
  }

  /** What comes waits for this, which is under way. */
  waitFor(work: Promise<void>): Promise<void> {
    this.#work = work;
    return work;
  }

  /** Runs after all that has come so far; the source is to hear it if that fails. */
  afterThat(step: () => void | Promise<void>): void {
    this.#work = this.#work.then(step).catch((cause: unknown) => this.#options.onFailed(cause));
  }

  /** The same of what does not fail. */
  inTurn(step: () => void): void {
    this.#work = this.#work.then(step);
  }

  send(message: FromDestination): void {
    this.#socket?.send(encodeTransfer(message));
  }

  close(): void {
    this.#socket?.close(CLOSE_NORMAL, "");
  }
}
