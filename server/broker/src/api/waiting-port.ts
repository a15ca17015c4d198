/**
 * The broker's port while its store is away at the start: probes hear that it lives and why it is not ready, players
 * and operators that they have to come again, and agents that no broker here has any say yet (OWN-9).
 */
import { createServer, type Server } from "node:http";
import { type BrokerToAgent, CentroidError, CLOSE_REFUSED } from "@centroid/protocol";
import { requestTarget } from "@centroid/protocol/node";
import { WebSocketServer } from "ws";
import { httpStatus } from "./http-errors.js";

const RETRY_AFTER_S = "1";

/** What answers on a broker's port until its store can be had. */
export class WaitingPort implements AsyncDisposable {
  readonly #host: string;
  readonly #port: number;
  #why: CentroidError | undefined;
  #server: Server | undefined;
  readonly #agents = new WebSocketServer({ noServer: true, perMessageDeflate: false });

  /** @param port nothing is opened if it is 0: nobody could know where */
  constructor(host: string, port: number) {
    this.#host = host;
    this.#port = port;
  }

  /** Opens the port if that has not been done, and answers with this from now on. */
  say(why: CentroidError): void {
    this.#why = why;
    if (this.#server !== undefined || this.#port === 0) return;
    const server = createServer((request, response) => {
      const { path } = requestTarget(request.url);
      const { status, body } = this.#answer(path);
      response.writeHead(status, { "content-type": "application/json", "retry-after": RETRY_AFTER_S });
      response.end(JSON.stringify(body));
    });
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => socket.destroy());
      if (requestTarget(request.url).path !== "/agent") socket.destroy();
      else
        this.#agents.handleUpgrade(request, socket, head, (agent) => {
          agent.on("error", () => agent.terminate());
          const refused: BrokerToAgent = { type: "refused", error: this.#error().toWire() };
          agent.send(JSON.stringify(refused));
          agent.close(CLOSE_REFUSED, "not started yet");
        });
    });
    // Whoever has the port meanwhile is named when the broker itself wants it.
    server.on("error", () => undefined);
    server.listen(this.#port, this.#host);
    this.#server = server;
  }

  #answer(path: string): { status: number; body: object } {
    const error = this.#error();
    if (path === "/healthz") return { status: 200, body: { ok: true } };
    if (path === "/readyz") return { status: 503, body: { ready: false, reason: error.message } };
    return { status: httpStatus(error.code), body: { error: error.toWire() } };
  }

  #error(): CentroidError {
    return this.#why ?? new CentroidError("STORE_UNAVAILABLE", "this broker has not started yet; try again");
  }

  /** Closes the port; the broker can have it. */
  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    for (const agent of this.#agents.clients) agent.terminate();
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  }
}
