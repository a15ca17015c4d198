/** The author's async code that runs in a room just now, which a move would cut in two, and whose sessions it is about. */
import { type Client, ClientState, Deferred, type Room } from "@colyseus/core";
import { internals } from "./core-internals.js";
import type { MovableClient } from "./movable-client.js";

/** What allowReconnection() returns. */
type Return = ReturnType<Room["allowReconnection"]>;

/** A client that is away, its seat held by allowReconnection(). */
export interface HeldSeat {
  client: Client;
  /** Of `performance.now()`; never if it is infinite. */
  untilMs: number;
  over: Return;
}

interface Ending {
  code: number | undefined;
  runs: boolean;
  /** The hook has left something to be done when the client is back, or not: a closure, which cannot travel. */
  goesOn: boolean;
}

/** As esbuild prints a function that does nothing, such as the one that keeps a rejection from being unhandled. */
const DOES_NOTHING = /^(async )?\(?\w*\)? => (\{\s*\}|undefined|void 0|null)$/;

export class RoomActivity {
  readonly #room: Room;
  readonly reconnecting = new Map<string, HeldSeat>();
  /** By session: the onDrop() or onLeave() that was called. */
  readonly #endings = new Map<string, Ending>();
  /** Sessions whose hook ran at another host, with for how much longer their seat is held. */
  readonly #heldElsewhere = new Map<string, number>();
  /** What fields of the room have in place of what allowReconnection() returned there. */
  readonly #returns = new Map<string, Return>();
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
  hold(client: Client, seconds: number | "manual", over: Return): void {
    const { sessionId } = client;
    if (this.reconnecting.has(sessionId)) return;
    const untilMs = seconds === "manual" ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
    this.reconnecting.set(sessionId, { client, untilMs, over });
    const end = (): void => {
      this.reconnecting.delete(sessionId);
      this.#endings.delete(sessionId);
    };
    over.then(end, end);
    this.#follow(sessionId, over);
  }

  /** Sees what the hook that holds the seat leaves to be done later. */
  #follow(sessionId: string, over: Return): void {
    const { then, catch: otherwise } = over;
    const seen = (...handlers: unknown[]): void => {
      const ending = this.#endings.get(sessionId);
      if (ending === undefined || !ending.runs) return;
      const does = handlers.some((it) => typeof it === "function" && !DOES_NOTHING.test(String(it)));
      if (does) ending.goesOn = true;
    };
    // biome-ignore lint/suspicious/noThenProperty: it has one, which is watched
    over.then = (...handlers: Parameters<typeof then>) => {
      seen(...handlers);
      return then.apply(over, handlers) as never;
    };
    over.catch = (handler: Parameters<typeof otherwise>[0]) => {
      seen(handler);
      return otherwise.call(over, handler) as never;
    };
  }

  /** The author's hook for a client that is gone runs; once for each time that it goes, wherever the room is by then. */
  ending(client: Client, code: number | undefined, hook: () => unknown): unknown {
    const { sessionId } = client;
    const heldMs = this.#heldElsewhere.get(sessionId);
    const ending: Ending = { code, runs: heldMs === undefined, goesOn: false };
    this.#endings.set(sessionId, ending);
    if (heldMs !== undefined) {
      this.#heldElsewhere.delete(sessionId);
      const held = this.#room.allowReconnection(client, Number.isFinite(heldMs) ? heldMs / 1000 : "manual");
      // Colyseus hears of it, too.
      held.catch(() => undefined);
      this.#replaceReturn(sessionId, held);
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

  /** How the seat of a client that is away is held at the next host: for how long, unless its hook has to run there again. */
  heldSeat(sessionId: string): { heldMs?: number; code: number | undefined } | undefined {
    const held = this.reconnecting.get(sessionId);
    const ending = this.#endings.get(sessionId);
    if (held === undefined || ending === undefined) return undefined;
    if (ending.runs || ending.goesOn) return { code: ending.code };
    return { heldMs: Math.max(0, held.untilMs - performance.now()), code: ending.code };
  }

  /** The client whose seat is held, with its connection of before. */
  awayClient(sessionId: string): MovableClient | undefined {
    return this.reconnecting.get(sessionId)?.client as unknown as MovableClient | undefined;
  }

  /** Whose return this is, if allowReconnection() gave it to the author and it is open. */
  returning(value: object): string | undefined {
    for (const [sessionId, { over }] of this.reconnecting) if (over === value) return sessionId;
    return undefined;
  }

  /** Stands for what allowReconnection() will return for that session, which is away. */
  returnOf(sessionId: string): Return {
    const known = this.reconnecting.get(sessionId)?.over ?? this.#returns.get(sessionId);
    if (known !== undefined) return known;
    const made = new Deferred<Client>() as Return;
    made.catch(() => undefined);
    this.#returns.set(sessionId, made);
    return made;
  }

  /** Settled together, by whoever settles one of them; carried as the one that the author has. */
  #replaceReturn(sessionId: string, held: Return): void {
    const given = this.#returns.get(sessionId);
    const seat = this.reconnecting.get(sessionId);
    if (given === undefined || seat === undefined) return;
    this.#returns.delete(sessionId);
    const { resolve, reject } = given;
    held.then(
      (back) => void resolve(back),
      (cause: unknown) => void reject(cause),
    );
    Object.assign(given, { resolve: held.resolve, reject: held.reject });
    seat.over = given;
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
