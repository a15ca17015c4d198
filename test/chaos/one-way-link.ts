/**
 * A TCP link on loopback that can stop carrying bytes in one direction, or both, without telling anybody: nothing is
 * closed, nothing is lost, it just does not arrive until the link works again. So do networks fail.
 */
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";

export type Direction = "there" | "back";

interface Pipe {
  readonly from: Socket;
  readonly direction: Direction;
}

export class OneWayLink implements AsyncDisposable {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #held = new Set<Direction>();

  private constructor(port: number) {
    this.#server = createServer((near) => {
      const far = connect(port, "127.0.0.1");
      this.#pipe(near, far, "there");
      this.#pipe(far, near, "back");
    });
  }

  /** @param port on loopback, where the link ends */
  static async start(port: number): Promise<OneWayLink> {
    const link = new OneWayLink(port);
    link.#server.listen(0, "127.0.0.1");
    await once(link.#server, "listening");
    return link;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return address.port;
  }

  hold(...directions: Direction[]): void {
    for (const direction of directions) this.#held.add(direction);
    for (const { from, direction } of this.#pipes) if (this.#held.has(direction)) from.pause();
  }

  release(): void {
    this.#held.clear();
    for (const { from } of this.#pipes) from.resume();
  }

  #pipe(from: Socket, to: Socket, direction: Direction): void {
    const pipe = { from, direction };
    this.#pipes.add(pipe);
    from.on("data", (bytes) => to.write(bytes));
    from.on("error", () => undefined);
    from.on("close", () => {
      this.#pipes.delete(pipe);
      to.destroy();
    });
    if (this.#held.has(direction)) from.pause();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { from } of this.#pipes) from.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}
