/** A TCP proxy on loopback whose connections a test can cut, as a failing network would. */
import { connect, createServer, type Server, type Socket } from "node:net";

export class CuttableProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pairs = new Map<Socket, Socket>();
  /** Refuses who comes. */
  blocked = false;
  /** Connections that came. */
  accepted = 0;
  /** Those of them to which the other end has said something. */
  answered = 0;

  private constructor(target: () => string) {
    this.#server = createServer((socket) => {
      if (this.blocked) {
        socket.destroy();
        return;
      }
      this.accepted++;
      const [host, port] = target().split(":");
      const upstream = connect(Number(port), host);
      upstream.once("data", () => {
        this.answered++;
      });
      for (const side of [socket, upstream]) {
        this.#sockets.add(side);
        side.on("error", () => undefined);
        side.on("close", () => {
          this.#sockets.delete(side);
          socket.destroy();
          upstream.destroy();
        });
      }
      this.#pairs.set(socket, upstream);
      socket.once("close", () => this.#pairs.delete(socket));
      socket.pipe(upstream).pipe(socket);
    });
  }

  static async start(target: () => string): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(target);
    await new Promise<void>((resolve) => proxy.#server.listen(0, "127.0.0.1", resolve));
    return proxy;
  }

  get address(): string {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("not listening");
    return `127.0.0.1:${address.port}`;
  }

  /** From now on what clients say is lost on the way; what they hear is not. */
  deafen(): void {
    for (const [socket, upstream] of this.#pairs) {
      socket.unpipe(upstream);
      socket.resume();
    }
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
