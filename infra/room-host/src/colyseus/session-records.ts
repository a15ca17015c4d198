/** Sessions of a room as data, and clients from that: of players who joined on another host. */
import { type Encoder, type Schema, StateView } from "@colyseus/schema";
import { carry } from "../values/carried-values.js";
import type { InputBacklog } from "./input-backlog.js";
import type { RoomInputs } from "./inputs.js";
import { type MovableClient, newClient } from "./movable-client.js";
import type { RoomActivity } from "./room-activity.js";
import type { SessionRecord } from "./room-record.js";
import type { RoomWork } from "./room-work.js";
import { readView, writeView } from "./schema/views.js";

/** Whose session it is, as the broker knows it. */
export type PlayerOf = (sessionId: string) => { playerId: string; network: string | undefined } | undefined;

export interface SessionRecordsOptions {
  activity: RoomActivity;
  inputs: RoomInputs;
  backlog: InputBacklog;
  work: RoomWork;
  encoder: () => Encoder<Schema> | undefined;
  playerOf: PlayerOf;
}

export class SessionRecords {
  readonly #options: SessionRecordsOptions;

  constructor(options: SessionRecordsOptions) {
    this.#options = options;
  }

  read(client: MovableClient, dropped: boolean): SessionRecord {
    const { inputs, backlog, work } = this.#options;
    const encoder = this.#options.encoder();
    const input = inputs.export(client, backlog.waiting(client));
    const unanswered = dropped ? [] : work.unanswered(client.sessionId);
    return {
      sessionId: client.sessionId,
      ...this.ownerOf(client.sessionId),
      centroid: client.link.centroid,
      compares: client.link.compares,
      reconnectionToken: client.reconnectionToken,
      auth: carry(client.auth, `auth of session ${client.sessionId}`),
      userData: carry(client.userData, `userData of session ${client.sessionId}`),
      joinedAtMs: client._joinedAt,
      view: client.view === undefined || encoder === undefined ? undefined : readView(client.view, encoder),
      received: client.link.received,
      sent: client.link.sent,
      ...(input !== undefined && { input }),
      ...(unanswered.length > 0 && { unanswered }),
      dropped,
      ...(dropped && this.#options.activity.heldSeat(client.sessionId)),
      ...this.#absence(client),
    };
  }

  /** Not connected to anyone yet, and without its input. */
  client(session: SessionRecord): MovableClient {
    const encoder = this.#options.encoder();
    const client = newClient(session);
    client._joinedAt = session.joinedAtMs;
    if (session.view !== undefined && encoder !== undefined) {
      client.view = new StateView(session.view.iterable);
      writeView(client.view, session.view, encoder);
    }
    return client;
  }

  ownerOf(sessionId: string): { playerId: string | undefined; network: string | undefined } {
    const player = this.#options.playerOf(sessionId);
    return { playerId: player?.playerId, network: player?.network };
  }

  #absence({ sessionId, _enqueuedMessages }: MovableClient): Pick<SessionRecord, "awaitedMs" | "waiting"> {
    const untilMs = this.#options.activity.awaited.get(sessionId);
    if (untilMs === undefined) return {};
    return {
      awaitedMs: Math.max(0, untilMs - performance.now()),
      waiting: (_enqueuedMessages ?? []).map((frame) => Buffer.from(frame)),
    };
  }
}
