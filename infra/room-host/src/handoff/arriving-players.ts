/**
 * The players of a room on its way here: those whose sockets come before the room runs wait for it, those who come later go
 * on at once, and whoever misses frames that its old connection has lost gets them from the source first.
 */
import {
  CentroidError,
  CLOSE_NORMAL,
  CLOSE_REFUSED,
  CLOSE_ROOM_MOVED,
  type ClientControl,
  decodeClientControl,
  isControl,
  type SessionProgress,
} from "@centroid/protocol";
import type { MovableClient } from "../colyseus/movable-client.js";
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";
import { CLOSE_FRAME } from "../sessions/session-link.js";
import type { ServerSocket } from "../sockets/server-socket.js";

/** A player who has not connected here this long after the switch has lost its connection. */
const ATTACH_GRACE_MS = 10_000;
/** Ours, for a player whose move was called off. */
export const CLOSE_CANCELLED = 4013;

export interface ArrivingPlayersOptions {
  migrationId: string;
  epoch: number;
  /** The source hears that a player is here. */
  onAttached: (sessionId: string) => void;
  /**
   * The source is asked for a player's frames after the first `received`; {@link ArrivingPlayers.replayed} is the answer.
   * @returns false if it is gone
   */
  askSource: (sessionId: string, received: number) => boolean;
}

interface Arrival {
  socket: ServerSocket;
  /** Frames it has, if its old connection broke before the end. */
  replayFrom: number | undefined;
  /** It was never told of the move: what its old connection lost may be more than the source has kept. */
  returns?: true;
}

/** A player who comes back without the ticket of a move, which it was never told. */
export interface Returning {
  sessionId: string;
  /** By which its host knows it again. */
  token: string;
  /** Data frames that it has had, if its old connection brings no more. */
  received: number | undefined;
  had?: SessionProgress | undefined;
}

/** The room as it runs here. */
interface Running {
  room: MovableRoom;
  clients: ReadonlyMap<string, MovableClient>;
  /** Sessions whose connection had broken before the room left: for the room they are away until they reconnect. */
  away: ReadonlySet<string>;
}

export class ArrivingPlayers {
  readonly #options: ArrivingPlayersOptions;
  readonly #tickets = new Map<string, string>();
  readonly #arrivals = new Map<string, Arrival>();
  /** Players who have asked for what their old connection lost. */
  readonly #asked = new Set<string>();
  /** Those among them whom the source has not answered. */
  readonly #unanswered = new Set<string>();
  /** Of each session, as the room came here. */
  readonly #counters = new Map<string, { sent: number; received: number }>();
  #running: Running | undefined;

  constructor(options: ArrivingPlayersOptions) {
    this.#options = options;
  }

  invite(invitations: readonly { sessionId: string; ticket: string }[]): void {
    for (const { sessionId, ticket } of invitations) this.#tickets.set(sessionId, ticket);
  }

  uninvite(sessionId: string): void {
    this.#tickets.delete(sessionId);
    this.#arrivals.get(sessionId)?.socket.close(CLOSE_NORMAL, "left");
  }

  /** A player's socket with the ticket from its invitation. False if it is not expected here. */
  accept(socket: ServerSocket, sessionId: string, ticket: string): boolean {
    if (this.#tickets.get(sessionId) !== ticket) return false;
    if (this.#running !== undefined) {
      const client = this.#running.clients.get(sessionId);
      if (client === undefined || !this.#goesOn(client) || client.link.connected) return false;
      this.#connect(client, { socket, replayFrom: undefined });
      return true;
    }
    this.expect(socket, sessionId);
    return true;
  }

  /** A player's socket that waits for the room. */
  expect(socket: ServerSocket, sessionId: string): void {
    const arrival: Arrival = { socket, replayFrom: undefined };
    this.#arrivals.get(sessionId)?.socket.close(CLOSE_CANCELLED, "another connection took over");
    this.#arrivals.set(sessionId, arrival);
    socket.onMessage((frame) => early(arrival, frame));
    socket.onClose(() => {
      if (this.#arrivals.get(sessionId) === arrival) this.#arrivals.delete(sessionId);
    });
    this.#options.onAttached(sessionId);
  }

  /** A player whose gateway was lost with the invitation, or with the last of the source's frames. False if it is not expected. */
  acceptReturn(socket: ServerSocket, { sessionId, token, received }: Returning): boolean {
    const client = this.#running?.clients.get(sessionId);
    if (received === undefined || client === undefined || client.reconnectionToken !== token) return false;
    const { link } = client;
    if (link.closed) return false;
    if (this.#unanswered.has(sessionId)) {
      // What it lacks is on its way; it looks again.
      socket.close(CLOSE_ROOM_MOVED, "the source has yet to answer");
      return true;
    }
    // One whose connection had broken before the room left is away here, too: nothing it says would reach the room.
    if (this.#running !== undefined && !movableClients(this.#running.room).includes(client)) return false;
    const sent = this.#counters.get(sessionId)?.sent ?? link.sent;
    if (link.connected) {
      // It went on here by a gateway that is lost since, with what it had yet to get from the source.
      if (!link.letGo(sent)) return false;
      this.#counters.set(sessionId, { sent, received: link.received });
    } else if (this.#asked.has(sessionId)) return false;
    this.#connect(client, { socket, replayFrom: received < sent ? received : undefined, returns: true });
    return true;
  }

  /** What each session has sent and received so far is counted from here on; to be called before the room goes on. */
  count(clients: ReadonlyMap<string, MovableClient>): void {
    for (const { sessionId, link } of clients.values())
      this.#counters.set(sessionId, { sent: link.sent, received: link.received });
  }

  /**
   * The room runs here: whoever is there goes on, the others have some time to come.
   * @param away sessions that were away when the room left: a connection of theirs that waits here, as a standby's does,
   *   would be heard by nobody, so it is refused and they reconnect
   */
  settle(room: MovableRoom, clients: ReadonlyMap<string, MovableClient>, away: ReadonlySet<string>): void {
    this.#running = { room, clients, away };
    // Once for each, however often its player comes by another connection.
    for (const client of clients.values())
      client.link.on("control", (message: ClientControl) => {
        if (message.type === "replay") this.#askLate(client, message.received);
      });
    const arrivals = [...this.#arrivals];
    this.#arrivals.clear();
    for (const [sessionId, arrival] of arrivals) {
      const client = clients.get(sessionId);
      if (client === undefined || client.link.closed) arrival.socket.close(CLOSE_NORMAL, "left");
      else if (this.#goesOn(client)) this.#connect(client, arrival);
      else arrival.socket.close(CLOSE_REFUSED, "its connection had broken before the room left");
    }
    setTimeout(() => {
      for (const { link, sessionId } of clients.values())
        if (!link.connected && !link.closed && !room.move.activity.awaited.has(sessionId)) link.abandon();
    }, ATTACH_GRACE_MS).unref();
  }

  /** The source has gone with what it had kept: whoever waits for that goes on without, and counts it as lost. */
  nothingMore(): void {
    for (const sessionId of [...this.#unanswered]) this.#goOn(sessionId, undefined);
  }

  /**
   * What the source had kept for a player whose old connection broke; the rest follows behind it. Without it the player
   * would go on with a hole in its state, so it is refused as at the source: Colyseus' own reconnection brings all of it.
   */
  replayed(sessionId: string, frames: readonly Uint8Array[] | undefined): void {
    const arrival = this.#arrivals.get(sessionId);
    if (frames !== undefined || arrival?.returns !== true) {
      this.#goOn(sessionId, frames);
      return;
    }
    this.#unanswered.delete(sessionId);
    this.#arrivals.delete(sessionId);
    this.#running?.clients.get(sessionId)?.link.abandon();
    arrival.socket.close(CLOSE_REFUSED, "what the old connection lost was not kept");
  }

  #goOn(sessionId: string, frames: readonly Uint8Array[] | undefined): void {
    if (!this.#unanswered.delete(sessionId)) return;
    const arrival = this.#arrivals.get(sessionId);
    const client = this.#running?.clients.get(sessionId);
    if (client === undefined) return;
    if (arrival === undefined) {
      client.link.resend(frames ?? []);
      return;
    }
    this.#arrivals.delete(sessionId);
    const sent = this.#counters.get(sessionId)?.sent ?? 0;
    this.#attach(client, arrival.socket, frames === undefined ? sent : sent - frames.length, frames ?? []);
    // It has asked, and hears that this is all.
    if (frames === undefined) client.link.resend([]);
  }

  /** The room does not come. */
  dismiss(): void {
    for (const { socket } of this.#arrivals.values())
      socket.close(CLOSE_CANCELLED, "the move was called off");
    this.#arrivals.clear();
  }

  #goesOn({ link, sessionId }: MovableClient): boolean {
    return !link.closed && this.#running?.away.has(sessionId) !== true;
  }

  #connect(client: MovableClient, arrival: Arrival): void {
    if (arrival.replayFrom !== undefined) {
      this.#arrivals.set(client.sessionId, arrival);
      this.#ask(client.sessionId, arrival.replayFrom);
      return;
    }
    const sent = this.#counters.get(client.sessionId)?.sent ?? client.link.sent;
    this.#attach(client, arrival.socket, sent, []);
  }

  /** A player that goes on here already finds that its old connection broke before the last frame. */
  #askLate(client: MovableClient, received: number): void {
    if (!this.#asked.has(client.sessionId)) this.#ask(client.sessionId, received);
  }

  #ask(sessionId: string, received: number): void {
    this.#asked.add(sessionId);
    this.#unanswered.add(sessionId);
    if (!this.#options.askSource(sessionId, received)) this.#goOn(sessionId, undefined);
  }

  #attach(client: MovableClient, socket: ServerSocket, sent: number, before: readonly Uint8Array[]): void {
    const received = this.#counters.get(client.sessionId)?.received ?? client.link.received;
    const patchRateMs = this.#running?.room.patchRate ?? 0;
    const { epoch, migrationId } = this.#options;
    const resumed = { type: "resumed", epoch, received, sent, patchRateMs, migrationId } as const;
    client.link.attach(socket, client.link.centroid ? resumed : undefined, before);
  }
}

/** Before the switch a player may only say that its old connection broke. */
function early(arrival: Arrival, frame: Buffer): void {
  try {
    if (!isControl(frame)) throw new CentroidError("FRAME_INVALID", "data before the switch");
    const message = decodeClientControl(frame);
    if (message.type === "replay") arrival.replayFrom = message.received;
  } catch {
    arrival.socket.close(CLOSE_FRAME, "invalid frame");
  }
}
