/** The emulator itself: one listening port that takes player connections to hosts at an emulated distance. */
import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { CentroidError } from "@centroid/protocol";
import type { EmulatorConfig } from "./config.js";
import { handleControl } from "./control-routes.js";
import { DeadlineQueue } from "./deadline-queue.js";
import { Distances } from "./distances.js";
import { EmulatedLink } from "./link.js";
import { Locator } from "./locator.js";
import { readHead, refusal } from "./request.js";

const LOOPBACK = "127.0.0.1";
/** A connection that has not sent its request by then is dropped, however busily it sends. */
const HEAD_TIMEOUT_MS = 10_000;
/** Hundreds of bots that begin at once dial six beacons each; a dialler that finds the queue full waits seconds. */
const BACKLOG = 4_096;
/** A control connection without a sign of life. */
const CONTROL_IDLE_MS = 10_000;
/** How long the registration of an address may trail the first connection to it. */
const TARGET_GRACE_MS = 500;

type Refusal = { readonly status: 400 | 404 | 431 | 502; readonly reason: string };

/** Listens on loopback only; see {@link EmulatedLink} for what a connection goes through. */
export class EmulatorServer implements AsyncDisposable {
  readonly distances: Distances;
  readonly #jitterMs: number;
  readonly #random: () => number;
  readonly #queue = new DeadlineQueue(() => performance.now());
  readonly #locator: Locator | undefined;
  readonly #links = new Set<EmulatedLink>();
  readonly #sockets = new Set<Socket>();
  readonly #http: HttpServer;
  readonly #server: Server;

  /** @param random uniform in [0, 1), for jitter */
  constructor(config: EmulatorConfig, random: () => number = Math.random) {
    this.distances = new Distances(config);
    this.#locator = config.lab && new Locator(config.lab);
    this.#jitterMs = config.jitterMs;
    this.#random = random;
    this.#http = createHttpServer((request, response) => {
      void handleControl(this.distances, () => this.#links.size, request, response);
    });
    this.#http.setTimeout(CONTROL_IDLE_MS);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  /**
   * @param on a port of this process, or a socket that another process listens on and gave us
   * @returns the port listened on
   * @throws CentroidError PORT_IN_USE
   */
  async listen(on: number | Server): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", (error: NodeJS.ErrnoException) => {
        reject(
          error.code === "EADDRINUSE"
            ? new CentroidError("PORT_IN_USE", `port ${on} is in use; give the emulator another one, or 0`)
            : CentroidError.from(error),
        );
      });
      if (typeof on === "number") this.#server.listen(on, LOOPBACK, BACKLOG, resolve);
      else this.#server.listen(on, BACKLOG, resolve);
    });
    return (this.#server.address() as AddressInfo).port;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const link of this.#links) link[Symbol.dispose]();
    for (const socket of this.#sockets) socket.destroy();
    this.#queue[Symbol.dispose]();
    this.distances[Symbol.dispose]();
    this.#locator?.[Symbol.dispose]();
    await closed;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on("close", () => this.#sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    const late = setTimeout(() => socket.destroy(), HEAD_TIMEOUT_MS);
    socket.on("close", () => clearTimeout(late));
    let bytes: Buffer = Buffer.alloc(0);
    const onData = (data: Buffer) => {
      bytes = bytes.byteLength === 0 ? data : Buffer.concat([bytes, data]);
      const head = readHead(bytes);
      if (head.kind === "incomplete") return;
      socket.off("data", onData);
      socket.off("end", onEnd);
      socket.pause();
      clearTimeout(late);
      switch (head.kind) {
        case "own":
          socket.unshift(bytes);
          this.#http.emit("connection", socket);
          socket.resume();
          break;
        case "bad":
          refuse(socket, head);
          break;
        case "via":
          this.#emulator(socket, head).catch(() => socket.destroy());
          break;
        default:
          head satisfies never;
      }
    };
    const onEnd = () => socket.destroy();
    socket.on("data", onData);
    socket.on("end", onEnd);
  }

  async #emulator(player: Socket, to: { label: string; hostId: string; port: number; forward: Buffer }) {
    const refusal = await this.#check(to);
    if (player.destroyed) return;
    if (refusal) return refuse(player, refusal);
    let lastRttMs = 0;
    const link = new EmulatedLink({
      player,
      ...(this.#locator !== undefined && { address: to.hostId }),
      port: to.port,
      forward: to.forward,
      queue: this.#queue,
      // A label that loses its site in mid-connection keeps its last distance.
      rttMs: () => {
        const hostId = this.#locator === undefined ? to.hostId : this.#locator.hostOf(to.hostId);
        if (hostId !== undefined) lastRttMs = this.distances.rttMs(to.label, hostId) ?? lastRttMs;
        return lastRttMs;
      },
      jitterMs: () => (this.#jitterMs === 0 ? 0 : this.#random() * this.#jitterMs),
      onClosed: () => this.#links.delete(link),
    });
    this.#links.add(link);
  }

  async #check(to: { label: string; hostId: string; port: number }): Promise<Refusal | undefined> {
    if (this.#locator === undefined && !this.distances.hasHost(to.hostId))
      return { status: 502, reason: `unknown host ${to.hostId}` };
    if (this.distances.siteOf(to.label) === undefined) {
      return { status: 404, reason: `label ${to.label} has no site; PUT /control/labels sets it` };
    }
    // The lab's network is closed, and holds nothing but hosts and rooms.
    if (this.#locator !== undefined) return undefined;
    if (!(await this.distances.hasTarget(to.hostId, to.port, TARGET_GRACE_MS))) {
      return { status: 502, reason: `port ${to.port} is not an address of host ${to.hostId}` };
    }
    return undefined;
  }
}

function refuse(socket: Socket, { status, reason }: Refusal): void {
  socket.on("end", () => socket.end());
  socket.resume();
  socket.end(refusal(status, reason), () => socket.destroySoon());
}
