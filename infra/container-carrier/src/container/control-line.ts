/** The agent's line to the room host in a container: a socket in the folder that they share. */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import type { RoomHostLine } from "@centroid/agent";

export class ControlLine implements RoomHostLine {
  readonly #socket: Socket;
  readonly #closed: Promise<void>;
  onMessage: ((line: string) => void) | undefined;
  onClosed: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", () => socket.destroy());
    this.#closed = new Promise((resolve) => socket.once("close", () => resolve()));
    void this.#closed.then(() => this.onClosed?.());
    createInterface({ input: socket })
      .on("line", (line) => this.onMessage?.(line))
      .on("error", () => undefined);
  }

  static open(path: string): Promise<ControlLine> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      socket.once("error", reject);
      socket.once("connect", () => {
        socket.off("error", reject);
        resolve(new ControlLine(socket));
      });
    });
  }

  send(line: string): void {
    // The room host reads nothing of what comes after a good-bye.
    if (this.#socket.writable) this.#socket.write(`${line}\n`);
  }

  /** Lets the room host finish what it is saying, and closes: nothing is lost, what comes later waits there. */
  async hangUp(timeoutMs: number): Promise<void> {
    this.#socket.end();
    const late = setTimeout(() => this.#socket.destroy(), timeoutMs);
    await this.#closed;
    clearTimeout(late);
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }
}
