/** The server side of one player's seat: Colyseus' Client on a {@link SessionLink} that can change sockets. */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import {
  type Client,
  type ClientPrivate,
  ClientState,
  enqueueClientRaw,
  getMessageBytes,
  type ISendOptions,
  Protocol,
} from "@colyseus/core";
import type { StateView } from "@colyseus/schema";
import { SessionLink } from "../sessions/session-link.js";
import type { AwaitedIn, SessionRecord } from "./room-record.js";

/** `readyState` as Colyseus reads it, from the WebSocket standard. */
const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

export class MovableClient {
  readonly id: string;
  readonly sessionId: string;
  state: ClientState = ClientState.JOINING;
  readyState = OPEN;
  reconnectionToken = "";
  auth: unknown;
  userData: unknown;
  view: StateView | undefined;
  _joinedAt = 0;
  /** Earlier epochs in which it was waited for. */
  _awaitedIn: readonly AwaitedIn[] = [];
  _pendingFrames: Uint8Array[] | undefined;
  _pendingFrameClients: (Client & ClientPrivate)[] | undefined;
  #link: SessionLink;
  #enqueued: Uint8Array[] | undefined = [];

  constructor(sessionId: string, link: SessionLink) {
    this.id = this.sessionId = sessionId;
    this.#link = link;
    this.#closeWith(link);
  }

  /**
   * Not a field: Colyseus deletes it when the client has joined, and V8 looks up each field of an object by its name from
   * then on. {@link joined} does what that means to do.
   */
  get _enqueuedMessages(): Uint8Array[] | undefined {
    return this.#enqueued;
  }

  set _enqueuedMessages(messages: Uint8Array[] | undefined) {
    this.#enqueued = messages;
  }

  /** It has the state, and what waited for that. */
  joined(): void {
    this.#enqueued = undefined;
  }

  get link(): SessionLink {
    return this.#link;
  }

  get ref(): SessionLink {
    return this.#link;
  }

  set ref(link: SessionLink) {
    this.#link = link;
    this.readyState = OPEN;
    this.#closeWith(link);
  }

  #closeWith(link: SessionLink): void {
    link.once("close", () => {
      if (this.#link === link) this.readyState = CLOSED;
    });
  }

  raw(data: Uint8Array): void {
    if (this.readyState === OPEN) this.#link.send(data);
  }

  enqueueRaw(data: Uint8Array, options?: ISendOptions): void {
    enqueueClientRaw(this.asClient(), data, options);
  }

  send(type: string | number, message?: unknown, options?: ISendOptions): void {
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA, type as never, message), options);
  }

  sendBytes(type: string | number, bytes: Uint8Array, options?: ISendOptions): void {
    this.enqueueRaw(getMessageBytes.raw(Protocol.ROOM_DATA_BYTES, type as never, undefined, bytes), options);
  }

  error(code: number, message = "", done?: () => void): void {
    this.raw(getMessageBytes[Protocol.ERROR](code, message));
    if (done !== undefined) process.nextTick(done);
  }

  /** Without a code the connection breaks, as with Colyseus' transport on uWebSockets.js. */
  leave(code?: number, reason?: string): void {
    if (this.readyState !== OPEN) return;
    this.readyState = CLOSING;
    this.#link.close(code ?? CLOSE_ABNORMAL, reason ?? "");
  }

  close(code?: number, reason?: string): void {
    this.leave(code, reason);
  }

  /** As Colyseus types it; its interfaces cannot be implemented under exactOptionalPropertyTypes. */
  asClient(): Client & ClientPrivate {
    return this as unknown as Client & ClientPrivate;
  }

  /** Sends what `afterNextPatch` staged. */
  flushPending(): void {
    const frames = this._pendingFrames ?? [];
    for (const frame of frames) this.raw(frame);
    frames.length = 0;
  }

  toJSON(): object {
    return { sessionId: this.sessionId, readyState: this.readyState };
  }
}

/** Fields that it has of its own accord; of Colyseus' the others begin with "_". */
const FIELDS: ReadonlySet<string> = new Set([
  ...["id", "sessionId", "state", "readyState", "reconnectionToken", "auth", "userData", "view"],
]);

/** Names of what the author has put on a client. */
export const authorsFields = (client: MovableClient): string[] =>
  Object.keys(client).filter((name) => !FIELDS.has(name) && !name.startsWith("_"));

/**
 * A client as it was on another host: joined long ago, its frame counters where they were, no socket yet and without the
 * author's values.
 */
export function newClient(record: SessionRecord): MovableClient {
  const link = new SessionLink(record.centroid, { sent: record.sent, received: record.received });
  link.compares = record.compares === true;
  const client = new MovableClient(record.sessionId, link);
  client.state = ClientState.JOINED;
  client._enqueuedMessages = record.waiting === undefined ? undefined : [...record.waiting];
  client._awaitedIn = record.awaitedIn ?? [];
  client.reconnectionToken = record.reconnectionToken;
  return client;
}
