/** Listens to a sandbox's beat while it moves: its longest silence. */
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { PULSE_INTERVAL_MS, PULSE_PORT } from "@centroid/room-host";

const CONNECT_TIMEOUT_MS = 5_000;

export class SandboxSilenceMeter implements Disposable {
  readonly #socket: Socket;
  #lastAtMs = performance.now();
  #beats = 0;
  longestMs = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (data) => {
      const now = performance.now();
      if (this.#beats > 0) this.longestMs = Math.max(this.longestMs, now - this.#lastAtMs);
      this.#lastAtMs = now;
      this.#beats += data.byteLength;
    });
    socket.on("error", () => socket.destroy());
  }

  /** Undefined if the guest does not answer. */
  static open(ip: string): Promise<SandboxSilenceMeter | undefined> {
    return new Promise((resolve) => {
      const socket = connect({ host: ip, port: PULSE_PORT, noDelay: true });
      const give = setTimeout(() => socket.destroy(), CONNECT_TIMEOUT_MS);
      socket.once("connect", () => resolve(new SandboxSilenceMeter(socket)));
      socket.once("close", () => resolve(undefined));
      socket.once("connect", () => clearTimeout(give));
      socket.on("error", () => undefined);
    });
  }

  /** True once it has beaten again, on the connection from before: nothing on the way was lost for good. */
  async beatsAgain(withinMs: number): Promise<boolean> {
    const before = this.#beats;
    const until = performance.now() + withinMs;
    while (this.#beats === before && performance.now() < until) await delay(PULSE_INTERVAL_MS);
    return this.#beats > before;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
