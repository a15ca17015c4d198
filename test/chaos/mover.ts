/** Orders moves one after the other, and tells where each one stands, so that a fault can meet it at any point. */
import { eventSchema, type MigrationPhase, type MigrationView } from "@centroid/protocol";
import { WebSocket } from "ws";
import { ADMIN_TOKEN, sleep } from "./world.js";

const REDIAL_MS = 200;
/** An order to a broker that stands still is given up. */
const ORDER_TIMEOUT_MS = 10_000;

/** Moves as the brokers report them. Reconnects, since brokers are killed now and then. */
export class MoveWatch implements Disposable {
  readonly #waiting = new Set<(view: MigrationView) => void>();
  readonly #sockets = new Map<string, WebSocket>();
  #closed = false;

  constructor(urls: readonly string[]) {
    for (const url of urls) this.#dial(url);
  }

  /** Resolves when the next move of the room is in that phase; with undefined if none is within the time. */
  reaches(roomId: string, phase: MigrationPhase, withinMs: number): Promise<MigrationView | undefined> {
    return new Promise((resolve) => {
      const done = (view: MigrationView | undefined): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(view);
      };
      const look = (view: MigrationView): void => {
        if (view.roomId === roomId && view.phase === phase) done(view);
      };
      const timer = setTimeout(() => done(undefined), withinMs);
      this.#waiting.add(look);
    });
  }

  #dial(url: string): void {
    if (this.#closed) return;
    const socket = new WebSocket(`${url.replace("http", "ws")}/events`);
    this.#sockets.set(url, socket);
    socket.on("message", (data: Buffer) => {
      const event = eventSchema.safeParse(JSON.parse(data.toString()));
      if (event.data?.type === "migration") for (const look of [...this.#waiting]) look(event.data.migration);
    });
    socket.on("error", () => undefined);
    socket.on("close", () => void sleep(REDIAL_MS).then(() => this.#dial(url)));
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const socket of this.#sockets.values()) socket.terminate();
  }
}

/** Refused orders (a host that is away, a room that moves already) are part of it. */
export async function orderMove(url: string, roomId: string, hostId: string): Promise<void> {
  await fetch(`${url}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ hostId }),
    signal: AbortSignal.timeout(ORDER_TIMEOUT_MS),
  }).catch(() => undefined);
}
