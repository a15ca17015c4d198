/** The author's async code that runs in a room just now, which a move would cut in two, and whose sessions it is about. */
import { type Client, ClientState, type Room } from "@colyseus/core";
import { internals } from "./core-internals.js";

/** A client that is away, its seat held by allowReconnection(). */
export interface HeldSeat {
  client: Client;
  /** Of `performance.now()`; never if it is infinite. */
  untilMs: number;
}

export class RoomActivity {
  readonly #room: Room;
  readonly reconnecting = new Map<string, HeldSeat>();
  /** By session: the onDrop() or onLeave() that was called, and whether it still runs. */
  readonly #endings = new Map<string, { code: number | undefined; runs: boolean }>();
  /** Sessions whose hook ran at another host, with for how much longer their seat is held. */
  readonly #heldElsewhere = new Map<string, number>();
  /** Sessions that are not back since the room was restored, with until when they are waited for. */
  readonly awaited = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #inFlightMessages = 0;
  /** Answers that are worked out at the next host if the room moves first. */
  readonly #carried = new WeakSet<Promise<unknown>>();
  #nextKey = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  /** @returns the same result; while it is a promise that is open the room is busy */
  track(result: unknown): unknown {
    if (!(result instanceof Promise) || this.#carried.has(result)) return result;
    this.#inFlightMessages++;
    return result.finally(() => {
      this.#inFlightMessages--;
    });
  }

  /** The room is not busy with this: it moves in the middle of it. */
  carries<T>(result: Promise<T>): Promise<T> {
    this.#carried.add(result);
    return result;
  }

  /** The room is busy until all that the present turn of the event loop brings about is through. */
  untilNextTurn(): void {
    this.#inFlightMessages++;
    setImmediate(() => {
      this.#inFlightMessages--;
    });
  }

  trackSession<T>(sessionId: string, running: Promise<T>): Promise<T> {
    const key = `${sessionId}:${this.#nextKey++}`;
    this.#inFlight.add(key);
    return running.finally(() => this.#inFlight.delete(key));
  }

  /** A seat is held until then, or until its client is back. */
  hold(client: Client, seconds: number | "manual", over: ReturnType<Room["allowReconnection"]>): void {
    const { sessionId } = client;
    if (this.reconnecting.has(sessionId)) return;
    const untilMs = seconds === "manual" ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
    this.reconnecting.set(sessionId, { client, untilMs });
    const end = (): void => {
      this.reconnecting.delete(sessionId);
      this.#endings.delete(sessionId);
    };
    over.then(end, end);
  }

  /** The author's hook for a client that is gone runs; once for each time that it goes, wherever the room is by then. */
  ending(client: Client, code: number | undefined, hook: () => unknown): unknown {
    const { sessionId } = client;
    const heldMs = this.#heldElsewhere.get(sessionId);
    const ending = { code, runs: heldMs === undefined };
    this.#endings.set(sessionId, ending);
    if (heldMs !== undefined) {
      this.#heldElsewhere.delete(sessionId);
      const held = this.#room.allowReconnection(client, Number.isFinite(heldMs) ? heldMs / 1000 : "manual");
      // Colyseus hears of it, too.
      held.catch(() => undefined);
      return undefined;
    }
    const done = (): void => {
      ending.runs = false;
      if (!this.reconnecting.has(sessionId)) this.#endings.delete(sessionId);
    };
    const result = hook();
    if (result instanceof Promise) result.then(done, done);
    else done();
    return result;
  }

  /** How the seat of a client that is away is held at the next host; nothing if its hook has to run there again. */
  heldSeat(sessionId: string): { heldMs: number; code: number | undefined } | undefined {
    const held = this.reconnecting.get(sessionId);
    const ending = this.#endings.get(sessionId);
    if (held === undefined || ending === undefined || ending.runs) return undefined;
    return { heldMs: Math.max(0, held.untilMs - performance.now()), code: ending.code };
  }

  /** The next end of this session was one at another host: its hook ran there. */
  heldElsewhere(sessionId: string, heldMs: number): void {
    this.#heldElsewhere.set(sessionId, heldMs);
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
