/** Sessions of a room as data, and clients from that: of players who joined on another host. */
import type { StateView } from "@colyseus/schema";
import type { IncomingValues, OutgoingValues } from "../values/carried-values.js";
import type { InputBacklog } from "./input-backlog.js";
import type { RoomInputs } from "./inputs.js";
import { authorsFields, type MovableClient, newClient } from "./movable-client.js";
import { readFields, writeFields } from "./plain-fields.js";
import type { RoomActivity } from "./room-activity.js";
import type { SessionRecord } from "./room-record.js";
import type { RoomWork } from "./room-work.js";

/** Whose session it is, as the broker knows it. */
export type PlayerOf = (sessionId: string) => { playerId: string; network: string | undefined } | undefined;

export interface SessionRecordsOptions {
  activity: RoomActivity;
  inputs: RoomInputs;
  backlog: InputBacklog;
  work: RoomWork;
  playerOf: PlayerOf;
  /** Of the room as it is now. */
  epoch: () => number;
}

/** Where what sessions hold goes. */
export interface OutgoingParts {
  values: OutgoingValues;
  /** Of a view among the room's; undefined for a room without state. */
  placeOf: (view: StateView) => number | undefined;
  onLeftOut: (field: string, why: string) => void;
}

export class SessionRecords {
  readonly #options: SessionRecordsOptions;

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
  }

  read(
    client: MovableClient,
    dropped: boolean,
    { values, placeOf, onLeftOut }: OutgoingParts,
  ): SessionRecord {
    const { inputs, backlog, work } = this.#options;
    const input = inputs.export(client, backlog.waiting(client));
    const unanswered = dropped ? [] : work.unanswered(client.sessionId);
    return {
      sessionId: client.sessionId,
      ...this.ownerOf(client.sessionId),
      centroid: client.link.centroid,
      compares: client.link.compares,
      reconnectionToken: client.reconnectionToken,
      auth: values.add(client.auth, `auth of session ${client.sessionId}`),
      userData: values.add(client.userData, `userData of session ${client.sessionId}`),
      own: readFields(client, "client", authorsFields(client), values, onLeftOut),
      joinedAtMs: client._joinedAt,
      view: client.view && placeOf(client.view),
      received: client.link.received,
      sent: client.link.sent,
      ...(input !== undefined && { input }),
      ...(unanswered.length > 0 && { unanswered }),
      dropped,
      ...(dropped && this.#options.activity.heldSeat(client.sessionId)),
      ...this.#absence(client),
    };
  }

  /** Not connected to anyone yet, without its input and what {@link give} gives it. */
  client(session: SessionRecord, views: readonly StateView[]): MovableClient {
    const client = newClient(session);
    client._joinedAt = session.joinedAtMs;
    if (session.view !== undefined) client.view = views[session.view];
    return client;
  }

  /** What the author has given to a client: it may point at anything in the room, which is there by then. */
  give(client: MovableClient, session: SessionRecord, values: IncomingValues): void {
    client.auth = values.get(session.auth);
    client.userData = values.get(session.userData);
    writeFields(client, session.own, values);
  }

  ownerOf(sessionId: string): { playerId: string | undefined; network: string | undefined } {
    const player = this.#options.playerOf(sessionId);
    return { playerId: player?.playerId, network: player?.network };
  }

  #absence({
    sessionId,
    _enqueuedMessages,
    _awaitedIn,
  }: MovableClient): Pick<SessionRecord, "awaitedMs" | "waiting" | "awaitedIn"> {
    const untilMs = this.#options.activity.awaited.get(sessionId);
    if (untilMs === undefined) return {};
    const waiting = (_enqueuedMessages ?? []).map((frame) => Buffer.from(frame));
    return {
      awaitedMs: Math.max(0, untilMs - performance.now()),
      waiting,
      awaitedIn: [..._awaitedIn, { epoch: this.#options.epoch(), frames: waiting.length }],
    };
  }
}
