/** What Colyseus needs of a transport to serve a project's HTTP routes, and no more: players are served by room hosts. */
import { createServer } from "node:http";
import { Transport } from "@colyseus/core";

/** An express application; of whatever version the project has. */
type ExpressApp = NonNullable<Awaited<ReturnType<NonNullable<Transport["getExpressApp"]>>>>;

export class HttpTransport extends Transport {
  override readonly server = createServer();
  readonly #loadExpress: () => unknown;
  #app: ExpressApp | undefined;

  constructor(loadExpress: () => unknown) {
    super();
    this.#loadExpress = loadExpress;
  }

  override listen(port: number, hostname?: string, backlog?: number, onListening?: () => void): this {
    this.server.listen(port, hostname, backlog, onListening);
    return this;
  }

  override shutdown(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  /** Nobody plays here. */
  override simulateLatency(): void {}

  /** The same each time; as Colyseus' own transports do, it listens to the server. */
  override getExpressApp(): ExpressApp {
    if (this.#app === undefined) {
      const loaded = this.#loadExpress() as { default?: () => ExpressApp } | (() => ExpressApp);
      const express = typeof loaded === "function" ? loaded : loaded.default;
      if (express === undefined) throw new Error("the package express cannot be loaded; install it");
      this.#app = express();
      this.server.on("request", this.#app as never);
    }
    return this.#app;
  }
}
