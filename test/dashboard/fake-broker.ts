/**
 * A broker as the dashboard sees one: serves the built page, streams the events a test plays, answers the
 * control API. It has no placement of its own: a test says what happens and looks at what a person sees.
 */
import { readFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import type { AuditEntry, BrokerEvent, Decision, Receipt } from "@centroid/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { closeServer } from "../support/close-server.js";
import { type FakeWorld, snapshotOf } from "./fake-world.js";

const DIST = fileURLToPath(new URL("../../client/dashboard/dist/", import.meta.url));
const MIME: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
};
export const ADMIN_TOKEN = "correct-horse";
export const VIEWER_TOKEN = "only-looking";

const ROLES = new Map([
  [`Bearer ${ADMIN_TOKEN}`, "admin"],
  [`Bearer ${VIEWER_TOKEN}`, "viewer"],
]);

/** An event without what the stream adds to it. */
export type Happening = BrokerEvent extends infer E
  ? E extends BrokerEvent
    ? Omit<E, "seq" | "atMs">
    : never
  : never;

export interface Order {
  readonly path: string;
  readonly body: unknown;
}

export class FakeBroker implements AsyncDisposable {
  readonly world: FakeWorld;
  /** Orders that carried the admin token, as they came. */
  readonly orders: Order[] = [];
  readonly port: number;
  readonly #server: ReturnType<typeof createServer>;
  readonly #sockets: WebSocketServer;
  #seq = 0;
  /** Pages that connect get no snapshot until {@link releaseSnapshot}. */
  snapshotHeld = false;
  /** What was asked of `/api/v1/whatif`. */
  readonly questions: unknown[] = [];
  /** What `/api/v1/audit` answers, newest first. */
  auditLog: AuditEntry[] = [];
  /** What `/api/v1/whatif` answers. */
  whatIf: Decision | undefined;

  private constructor(
    world: FakeWorld,
    server: ReturnType<typeof createServer>,
    sockets: WebSocketServer,
    port: number,
  ) {
    this.world = world;
    this.port = port;
    this.#server = server;
    this.#sockets = sockets;
    server.on("request", (request, response) => void this.#answer(request, response));
    sockets.on("connection", (socket: WebSocket) => {
      if (!this.snapshotHeld) socket.send(this.#snapshot());
    });
  }

  #snapshot(): string {
    return JSON.stringify({ ...snapshotOf(this.world), seq: this.#seq, atMs: this.world.nowMs() });
  }

  /** Sends what was held back. */
  releaseSnapshot(): void {
    this.snapshotHeld = false;
    this.sendRaw(this.#snapshot());
  }

  /** @param port 0 lets the system choose; a number restarts "the same" broker there */
  static async start(world: FakeWorld, port = 0): Promise<FakeBroker> {
    const server = createServer();
    const sockets = new WebSocketServer({ server, path: "/events" });
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, "127.0.0.1", resolve);
    });
    return new FakeBroker(world, server, sockets, (server.address() as AddressInfo).port);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/`;
  }

  get followers(): number {
    return this.#sockets.clients.size;
  }

  /** Makes the happenings part of the world and tells every page about them. */
  play(...happenings: Happening[]): void {
    for (const happening of happenings) {
      this.#seq += 1;
      const event = { ...happening, seq: this.#seq, atMs: this.world.nowMs() } as BrokerEvent;
      this.world.take(event);
      this.sendRaw(JSON.stringify(event));
    }
  }

  sendRaw(text: string): void {
    for (const socket of this.#sockets.clients) socket.send(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    await closeServer(this.#server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "/", this.url);
    if (url.pathname.startsWith("/api/v1/")) return this.#control(request, response, url);
    const file = normalize(join(DIST, url.pathname === "/" ? "index.html" : url.pathname));
    if (!file.startsWith(DIST)) return send(response, 404, {});
    try {
      const body = await readFile(file);
      response
        .writeHead(200, { "content-type": MIME[extname(file)] ?? "application/octet-stream" })
        .end(body);
    } catch {
      send(response, 404, { error: { code: "NOT_FOUND", message: `no ${url.pathname}` } });
    }
  }

  #move(roomId: string, hostId: string): Receipt[] {
    for (const happenings of this.world.migration(roomId, hostId)) this.play(...happenings);
    return this.world.receipts;
  }

  #kick(roomId: string, sessionId: string): void {
    for (const { playerId, ...player } of this.world.players.values()) {
      if (player.roomId !== roomId || player.sessionId !== sessionId) continue;
      this.play({ type: "player-removed", playerId, roomId });
    }
  }

  async #control(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const [resource, id, action] = url.pathname.split("/").slice(3).map(decodeURIComponent);
    if (request.method === "GET") {
      if (resource === "rooms" && id && action === "decisions")
        return send(response, 200, this.world.decisionsOf(id));
      if (resource === "rooms" && id && action === "state")
        return send(response, 200, {
          state: this.world.stateOf(id),
          sessions: [],
          clockMs: this.world.nowMs(),
        });
      if (resource === "receipts") {
        const roomId = url.searchParams.get("roomId");
        return send(
          response,
          200,
          this.world.receipts.filter((receipt) => !roomId || receipt.roomId === roomId),
        );
      }
      if (resource === "audit") return send(response, 200, this.auditLog);
      if (resource === "whoami") {
        const role = ROLES.get(request.headers.authorization ?? "");
        if (role !== undefined) return send(response, 200, { role });
        return send(response, 401, { error: { code: "UNAUTHORIZED", message: "wrong token" } });
      }
      return send(response, 404, { error: { code: "NOT_FOUND", message: `no ${url.pathname}` } });
    }
    if (resource === "whatif") {
      this.questions.push(JSON.parse(await text(request)));
      return send(response, 200, this.whatIf);
    }
    if (ROLES.get(request.headers.authorization ?? "") !== "admin") {
      return send(response, 401, { error: { code: "UNAUTHORIZED", message: "wrong admin token" } });
    }
    const body: unknown = JSON.parse((await text(request)) || "{}");
    this.orders.push({ path: url.pathname, body });
    const room = this.world.rooms.get(id ?? "");
    if (room && (action === "lock" || action === "unlock")) {
      const locked = action === "lock";
      this.play({ type: "room", room: { ...room, locked } });
      return send(response, 200, { locked });
    }
    if (action === "message") return send(response, 200, { receivers: room?.players ?? 0 });
    if (action === "move") {
      const [receipt] = this.#move(id ?? "", (body as { hostId: string }).hostId);
      return send(response, 200, receipt);
    }
    const host = this.world.hosts.get(id ?? "");
    if (host && (action === "drain" || action === "activate")) {
      const ordered = { ...host, state: action === "drain" ? "draining" : "active" } as const;
      this.play({ type: "host", host: ordered });
      return send(response, 200, ordered);
    }
    if (action === "sessions") this.#kick(id ?? "", url.pathname.split("/").at(-2) ?? "");
    return send(response, 200, {});
  }
}

function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

async function text(request: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of request) body += String(chunk);
  return body;
}
