/**
 * The warm copy of a room that runs on another host: the records it is built from, as of the last feed, and its
 * players' second sockets. It becomes a room when the broker says so, and only then.
 */
import { CLOSE_NORMAL, CLOSE_ROOM_MOVED } from "@centroid/protocol";
import { CHECKPOINT_FORMAT, type Checkpoint } from "../checkpoint/checkpoint.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { CLOSE_FRAME } from "../sessions/session-link.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import { decodeFromPrimary, encodeFeed, type FromPrimary } from "./standby-wire.js";

/** A copy that lost its owner and that nobody asks for is over: the room lives, or was restored, elsewhere. */
const ORPHAN_LIFE_MS = 60_000;

interface Waiting {
  socket: ServerSocket;
  reconnectionToken: string;
  /** Its player knows that the room may also move here. */
  promotable: boolean;
}

/** What a standby has of its room: enough to build it, but for what only a hand-off brings. */
export interface FedRoom {
  begin: Omit<Extract<FromPrimary, { type: "begin" }>, "type">;
  nodes: readonly NodeRecord[];
}

/** What a standby gives to the room's hand-off, which goes on over its feed. */
export interface PromotedCopy {
  feed: ServerSocket;
  /** Players' sockets that are here already, by session. */
  players: ReadonlyMap<string, ServerSocket>;
}

export interface StandbyCopyOptions {
  standbyId: string;
  /** Its feed and nobody else's is let in. */
  ticket: string;
  onOrphaned: () => void;
  /** The room moves here. @returns who takes it, if it is expected with that ticket */
  onPromoted: (migrationId: string, ticket: string) => ((copy: PromotedCopy) => void) | undefined;
  onEnded: () => void;
}

type Last = Extract<FromPrimary, { type: "record" }>;

export class StandbyCopy implements Disposable {
  readonly #options: StandbyCopyOptions;
  readonly #nodes = new Map<number, NodeRecord>();
  readonly #waiting = new Map<string, Waiting>();
  #begin: Extract<FromPrimary, { type: "begin" }> | undefined;
  #last: Last | undefined;
  #feed: ServerSocket | undefined;
  #onFed: ((record: Last) => void) | undefined;
  #orphaned: NodeJS.Timeout | undefined;
  #taken = false;
  #ended = false;

  constructor(options: StandbyCopyOptions) {
    this.#options = options;
  }

  get standbyId(): string {
    return this.#options.standbyId;
  }

  /** It has the whole room, and is fed. */
  get whole(): boolean {
    return !this.#ended && !this.#taken && this.#last !== undefined && this.#orphaned === undefined;
  }

  /** @returns false if this is not its feed */
  acceptFeed(socket: ServerSocket, ticket: string | null): boolean {
    if (ticket !== this.#options.ticket || this.#feed !== undefined || this.#ended) return false;
    this.#feed = socket;
    socket.onMessage((frame) => {
      try {
        // A copy: uWebSockets.js takes its memory back when the callback returns.
        this.#hear(socket, decodeFromPrimary(Buffer.from(frame)));
      } catch {
        this[Symbol.dispose]();
      }
    });
    socket.onClose(() => {
      if (this.#ended) return;
      this.#orphaned = setTimeout(() => this[Symbol.dispose](), ORPHAN_LIFE_MS);
      this.#orphaned.unref();
      if (!this.#taken) this.#options.onOrphaned();
    });
    return true;
  }

  #hear(socket: ServerSocket, message: FromPrimary): void {
    if (this.#ended || this.#taken) return;
    switch (message.type) {
      case "begin":
        this.#begin = message;
        return;
      case "nodes":
        for (const node of message.nodes) this.#nodes.set(node[0], node);
        return;
      case "record":
        for (const node of message.nodes) this.#nodes.set(node[0], node);
        for (const refId of message.removed) this.#nodes.delete(refId);
        this.#onFed?.(message);
        this.#last = { ...message, nodes: [], removed: [] };
        socket.send(encodeFeed({ type: "has", seq: message.seq }));
        return;
      case "retired":
        this[Symbol.dispose]();
        return;
      case "promote":
        this.#promote(socket, message);
        return;
      default: {
        const never: never = message;
        throw new RangeError(`unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** The feed is from here on the line of the hand-off. */
  #promote(feed: ServerSocket, { migrationId, ticket }: Extract<FromPrimary, { type: "promote" }>): void {
    const take = this.whole ? this.#options.onPromoted(migrationId, ticket) : undefined;
    if (take === undefined) {
      this[Symbol.dispose]();
      return;
    }
    const players = new Map<string, ServerSocket>();
    for (const [sessionId, { socket, promotable }] of this.#waiting)
      if (promotable) players.set(sessionId, socket);
    for (const sessionId of players.keys()) this.#waiting.delete(sessionId);
    this.#feed = undefined;
    this[Symbol.dispose]();
    take({ feed, players });
  }

  /**
   * The room is to be built here already, and kept as it is fed.
   * @returns undefined if it is not whole
   */
  follow(onFed: (record: Pick<Last, "nodes" | "removed">) => void): FedRoom | undefined {
    if (!this.whole || this.#begin === undefined) return undefined;
    this.#onFed = onFed;
    return { begin: this.#begin, nodes: [...this.#nodes.values()] };
  }

  /** A player's second socket, kept until the room runs here. @returns false if it is not one of its players */
  acceptPlayer(
    socket: ServerSocket,
    sessionId: string,
    reconnectionToken: string,
    promotable: boolean,
  ): boolean {
    const session = this.#last?.room.sessions.find((known) => known.sessionId === sessionId);
    if (session?.reconnectionToken !== reconnectionToken) return false;
    this.#waiting.get(sessionId)?.socket.close(CLOSE_ROOM_MOVED, "another connection took over");
    const waiting: Waiting = { socket, reconnectionToken, promotable };
    this.#waiting.set(sessionId, waiting);
    if (promotable) this.#feed?.send(encodeFeed({ type: "attached", sessionId }));
    socket.onMessage(() => socket.close(CLOSE_FRAME, "the room does not run here"));
    socket.onClose(() => {
      if (this.#waiting.get(sessionId) === waiting) this.#waiting.delete(sessionId);
    });
    return true;
  }

  /**
   * The room as it was fed last; undefined before it was whole. Nothing that comes later is confirmed any more:
   * whoever asked for it is about to run it.
   */
  take(): Checkpoint | undefined {
    this.#taken = true;
    this.#feed?.close(CLOSE_NORMAL, "");
    const begin = this.#begin;
    const last = this.#last;
    if (begin === undefined || last === undefined) return undefined;
    const { nextRefId, stateHash, takenAtMs, room } = last;
    const { options, hasState, firstAnswers } = begin;
    const nodes = [...this.#nodes.values()];
    return {
      format: CHECKPOINT_FORMAT,
      options,
      firstAnswers,
      hasState,
      nodes,
      nextRefId,
      stateHash,
      takenAtMs,
      room,
    };
  }

  /** The players' sockets; from now on they are the caller's. */
  takePlayers(): Map<string, Waiting> {
    const waiting = new Map(this.#waiting);
    this.#waiting.clear();
    return waiting;
  }

  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#ended = true;
    clearTimeout(this.#orphaned);
    for (const { socket } of this.#waiting.values()) socket.close(CLOSE_ROOM_MOVED, "no standby any more");
    this.#waiting.clear();
    this.#feed?.close(CLOSE_NORMAL, "");
    this.#options.onEnded();
  }
}
