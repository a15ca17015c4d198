/**
 * A room built from its last checkpoint after its host was lost. It runs at once; its players come back with
 * their reconnection tokens, hear how far the checkpoint had got, send again what it had not seen, and get the
 * whole state.
 */
import { CentroidError } from "@centroid/protocol";
import { ClientState } from "@colyseus/core";
import type { ServerSocket } from "../../websocket/server-socket.js";
import type { MovableClient } from "../colyseus/movable-client.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateWriter } from "../colyseus/schema/writer.js";
import { type Checkpoint, readState } from "./checkpoint.js";

/** A player who has not come back by then has lost its connection like any other. */
const RETURN_WINDOW_MS = 30_000;
/** Players may know nodes made after the checkpoint: new ones get ids that none of those can have. */
const SKIPPED_REF_IDS = 1 << 16;

interface Ownership {
  epoch: number;
  migrationId: string;
}

export class RestoredRoom {
  readonly room: MovableRoom;
  readonly clients: Map<string, MovableClient>;
  readonly #as: Ownership;

  private constructor(room: MovableRoom, clients: Map<string, MovableClient>, as: Ownership) {
    this.room = room;
    this.clients = clients;
    this.#as = as;
  }

  /**
   * @param create builds an empty room of the right type with the author's options
   * @throws CentroidError ROOM_ERROR if the state that was built is not the one that was saved
   */
  static async build(
    checkpoint: Checkpoint,
    as: Ownership,
    create: (options: unknown) => Promise<MovableRoom>,
  ): Promise<RestoredRoom> {
    const room = await create(checkpoint.options);
    try {
      room.move.hold();
      room.autoDispose = false;
      fill(room, checkpoint);
      return new RestoredRoom(room, await room.move.import(checkpoint.room), as);
    } catch (cause) {
      room.move.release();
      throw cause;
    }
  }

  /** Time goes on. To be called once the room can be found. */
  resume({ room: { sessions } }: Checkpoint): void {
    for (const client of this.clients.values()) {
      // As for a newcomer: patches are left out and messages wait until it has the whole state.
      client.state = ClientState.JOINING;
      client._enqueuedMessages = [];
    }
    this.room.move.resume(this.room.patchRate ?? 0);
    for (const { sessionId, dropped } of sessions) {
      const client = this.clients.get(sessionId);
      if (client !== undefined && dropped) this.room.move.dropAgain(client);
    }
    setTimeout(() => {
      for (const { link } of this.clients.values()) if (!link.connected && !link.closed) link.abandon();
    }, RETURN_WINDOW_MS).unref();
  }

  /** @returns false if this is not one of its players, or it is here already */
  accept(socket: ServerSocket, sessionId: string, reconnectionToken: string): boolean {
    const client = this.clients.get(sessionId);
    if (client === undefined || client.reconnectionToken !== reconnectionToken) return false;
    if (client.link.connected || client.link.closed) return false;
    const { received, sent } = client.link;
    const resumed = {
      type: "resumed",
      ...this.#as,
      received,
      sent,
      patchRateMs: this.room.patchRate ?? 0,
      restored: true,
    } as const;
    client.state = ClientState.JOINED;
    client.link.attach(socket, client.link.centroid ? resumed : undefined);
    this.room.move.sendWhole(client);
    const waiting = client._enqueuedMessages ?? [];
    client._enqueuedMessages = undefined;
    for (const message of waiting) client.raw(message);
    return true;
  }
}

function fill(room: MovableRoom, { hasState, nodes, nextRefId, stateHash }: Checkpoint): void {
  const { encoder } = room.move;
  if (hasState !== (encoder !== undefined)) {
    throw new CentroidError(
      "ROOM_ERROR",
      "the room had a state where it was saved and has none here, or the other way round; all hosts must run the same rooms",
    );
  }
  if (encoder === undefined) return;
  const writer = new StateWriter(encoder as never);
  writer.apply(nodes);
  writer.attach(room.move.attachState() as never);
  writer.finish([], nextRefId + SKIPPED_REF_IDS);
  const built = readState(room);
  if (built.stateHash !== stateHash) {
    throw new CentroidError(
      "ROOM_ERROR",
      `state differs after restoring: ${stateHash} saved, ${built.stateHash} here`,
    );
  }
}
