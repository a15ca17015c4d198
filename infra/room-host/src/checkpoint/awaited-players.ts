/**
 * Players whom a room has and who are not connected to it yet, because it was built again after its host was lost.
 * Each comes back in its own way: Centroid's SDK with its counters, so that nothing is lost; any other Colyseus client
 * by `reconnect(token)`, for whom it is a reconnection. Until then the room is as it would be with them in it: patches
 * are left out, messages wait, it is saved and it moves.
 */
import type { SessionProgress } from "@centroid/protocol";
import { ClientState, generateId } from "@colyseus/core";
import type { MovableClient } from "../colyseus/movable-client.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { SessionRecord } from "../colyseus/room-record.js";
import { SessionLink } from "../sessions/session-link.js";
import type { ServerSocket } from "../sockets/server-socket.js";

/** A player who has not come back by then has lost its connection like any other. */
export const RETURN_WINDOW_MS = 30_000;

export interface Ownership {
  epoch: number;
  /** Of the restoration, for the players' reports. */
  migrationId?: string;
}

interface Awaited {
  client: MovableClient;
  /** How much the room had sent to it, as it was saved: what follows is for whichever connection it goes on with. */
  sent: number;
  timer: NodeJS.Timeout;
}

export class AwaitedPlayers {
  readonly #room: MovableRoom;
  readonly #awaited = new Map<string, Awaited>();
  /** All that were awaited, come or not. */
  readonly #clients = new Map<string, MovableClient>();
  readonly #as: Ownership;

  /** @param windowMs after which those who have not come are as if their connection broke */
  constructor(room: MovableRoom, clients: Iterable<MovableClient>, as: Ownership, windowMs: number) {
    this.#room = room;
    this.#as = as;
    for (const client of clients) {
      // As for a newcomer: patches are left out and messages wait until it has the whole state.
      client.state = ClientState.JOINING;
      client._enqueuedMessages ??= [];
      client.link.once("close", () => this.#forget(client));
      this.#clients.set(client.sessionId, client);
      this.#await(client, client.link.sent, windowMs);
    }
  }

  /** Of a room that has moved: those who were still to come back when it left. @returns undefined if there are none */
  static after(
    room: MovableRoom,
    clients: ReadonlyMap<string, MovableClient>,
    sessions: readonly SessionRecord[],
    as: Ownership,
  ): AwaitedPlayers | undefined {
    const windows = sessions.flatMap(({ sessionId, awaitedMs }) => {
      const client = clients.get(sessionId);
      return client === undefined || awaitedMs === undefined ? [] : [{ client, awaitedMs }];
    });
    if (windows.length === 0) return undefined;
    const longestMs = Math.max(...windows.map(({ awaitedMs }) => awaitedMs));
    const awaited = windows.map(({ client }) => client);
    return new AwaitedPlayers(room, awaited, as, longestMs);
  }

  #await(client: MovableClient, sent: number, windowMs: number): void {
    const { sessionId } = client;
    const timer = setTimeout(() => this.#abandon(client), windowMs).unref();
    this.#awaited.set(sessionId, { client, sent, timer });
    this.#room.move.activity.awaited.set(sessionId, performance.now() + windowMs);
  }

  /** Whose token this is, if that player has not come yet. */
  sessionOf(reconnectionToken: string): string | undefined {
    for (const { client } of this.#awaited.values())
      if (client.reconnectionToken === reconnectionToken) return client.sessionId;
    return undefined;
  }

  /**
   * A session that goes on where it was.
   * @param had where it was connected last
   * @returns false if this is not one of the players, or it is here already
   */
  accept(socket: ServerSocket, sessionId: string, reconnectionToken: string, had?: SessionProgress): boolean {
    const one = this.#clients.get(sessionId);
    // A host that stood still finds all dials of a player at once, most of them given up.
    if (one?.reconnectionToken === reconnectionToken) one.link.giveUpUnproven();
    const taken = this.#take(sessionId, reconnectionToken);
    if (taken === undefined) return false;
    const { client, sent } = taken;
    const { link } = client;
    const isFirst = client.state === ClientState.JOINING;
    // By a connection that broke before anything of it was heard here.
    const heard = !isFirst && had?.epoch === this.#as.epoch ? Math.min(had.received, link.sent) : sent;
    const from = Math.max(sent, heard);
    const resumed = {
      type: "resumed",
      ...this.#as,
      received: link.received,
      sent: from,
      patchRateMs: this.#room.patchRate ?? 0,
      restored: true,
    } as const;
    client.state = ClientState.JOINED;
    // On a slow way it may have given this connection up and dialled again before it hears that it is back.
    link.attachUnproven(socket, link.centroid ? resumed : undefined, from - sent, () =>
      this.#await(client, sent, RETURN_WINDOW_MS),
    );
    if (!isFirst) return true;
    const before = link.sent;
    this.#room.move.sendWhole(client);
    const whole = link.sent - before;
    // It says again what the lost host had heard and what it has said since.
    this.#room.move.backlog.begin();
    const waiting = client._enqueuedMessages ?? [];
    client.joined();
    const elsewhere = had === undefined ? 0 : heardElsewhere(client, had, sent + whole);
    for (const message of waiting.slice(elsewhere)) client.raw(message);
    return true;
  }

  /**
   * A client that begins anew with the seat it had: counters start at zero and Colyseus' handshake follows.
   * @returns the client, or undefined if this is not one of the players, or it is here already
   */
  rejoin(
    socket: ServerSocket,
    { sessionId, reconnectionToken, ...how }: Rejoining,
  ): MovableClient | undefined {
    const client = this.#take(sessionId, reconnectionToken)?.client;
    if (client === undefined) return undefined;
    const { received } = client.link;
    client.state = ClientState.JOINING;
    client._enqueuedMessages ??= [];
    client.link.removeAllListeners();
    const link = new SessionLink(how.centroid);
    link.compares = how.compares;
    client.ref = link;
    this.#room.move.wire(client);
    this.#room.move.inputs.begin(client);
    // Its first message confirms the handshake; the state has gone out then.
    link.once("message", () => this.#room.move.sendStreams(client));
    // As Colyseus does at each reconnection.
    client.reconnectionToken = generateId();
    link.attach(socket, link.centroid ? { type: "returned", received } : undefined);
    this.#room.move.sendHandshake(client, how.skipHandshake);
    return client;
  }

  #take(sessionId: string, reconnectionToken: string): Awaited | undefined {
    const awaited = this.#awaited.get(sessionId);
    if (awaited === undefined || awaited.client.reconnectionToken !== reconnectionToken) return undefined;
    this.#forget(awaited.client);
    return awaited.client.link.closed ? undefined : awaited;
  }

  #forget({ sessionId }: MovableClient): void {
    clearTimeout(this.#awaited.get(sessionId)?.timer);
    this.#awaited.delete(sessionId);
    this.#room.move.activity.awaited.delete(sessionId);
  }

  #abandon(client: MovableClient): void {
    // It has moved on and is awaited there.
    if (client.link.closed) return;
    // Colyseus holds the seat of a player whose connection broke only if it had joined.
    client.state = ClientState.JOINED;
    client.joined();
    client.link.abandon();
  }
}

/**
 * How much of what waits for this client it has had already: from an earlier host that waited for it, too, and died after
 * it had come. There as here it got the whole state first, and then what had waited.
 */
function heardElsewhere(
  { _awaitedIn }: MovableClient,
  { epoch, received }: SessionProgress,
  before: number,
): number {
  const there = _awaitedIn.find((awaited) => awaited.epoch === epoch);
  return Math.max(0, Math.min(there?.frames ?? 0, received - before));
}

interface Rejoining {
  sessionId: string;
  reconnectionToken: string;
  /** The client speaks control frames. */
  centroid: boolean;
  /** It can compare its state with the room's. */
  compares: boolean;
  skipHandshake: boolean;
}
