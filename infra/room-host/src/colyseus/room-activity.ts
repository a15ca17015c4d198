/** The author's async code that runs in a room just now, which a move would cut in two, and whose sessions it is about. */
import { type Client, ClientState, type Room } from "@colyseus/core";
import { internals } from "./core-internals.js";

export class RoomActivity {
  readonly #room: Room;
  /** Clients that are away, their seats held by allowReconnection(). */
  readonly reconnecting = new Map<string, Client>();
  /** Sessions that are not back since the room was restored, with until when they are waited for. */
  readonly awaited = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #inFlightMessages = 0;
  #nextKey = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** @returns the same result; while it is a promise that is open the room is busy */
  track(result: unknown): unknown {
    if (!(result instanceof Promise)) return result;
    this.#inFlightMessages++;
    return result.finally(() => {
      this.#inFlightMessages--;
    });
  }

  trackSession<T>(sessionId: string, running: Promise<T>): Promise<T> {
    const key = `${sessionId}:${this.#nextKey++}`;
    this.#inFlight.add(key);
    return running.finally(() => this.#inFlight.delete(key));
  }

  /** True while the author's async code runs that a move would cut in two. */
  get busy(): boolean {
    if (this.#inFlightMessages > 0) return true;
    for (const key of this.#inFlight) {
      if (!this.reconnecting.has(key.slice(0, key.lastIndexOf(":")))) return true;
    }
    return this.#room.clients.some(
      ({ state, sessionId }) => state === ClientState.JOINING && !this.awaited.has(sessionId),
    );
  }

  /** Who sits here, may sit down, or may come back. */
  sessionIds(): Set<string> {
    const room = internals(this.#room);
    return new Set([
      ...room.clients.map(({ sessionId }) => sessionId),
      ...Object.keys(room._reservedSeats),
      ...this.reconnecting.keys(),
      ...[...this.#inFlight].map((key) => key.slice(0, key.lastIndexOf(":"))),
    ]);
  }
}
