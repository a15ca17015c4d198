/**
 * A room built from its last checkpoint after its host was lost. It runs at once and waits for its players, who hear
 * how far the checkpoint had got, send again what it had not seen, and get the whole state.
 */
import { CentroidError } from "@centroid/protocol";
import type { MovableClient } from "../colyseus/movable-client.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateWriter } from "../colyseus/schema/writer.js";
import { AwaitedPlayers, type Ownership, RETURN_WINDOW_MS } from "./awaited-players.js";
import { type Checkpoint, readSavedState } from "./checkpoint.js";

/** Players may know nodes made after the checkpoint: new ones get ids that none of those can have. */
const SKIPPED_REF_IDS = 1 << 16;

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
    create: (saved: Pick<Checkpoint, "options" | "firstAnswers">) => Promise<MovableRoom>,
  ): Promise<RestoredRoom> {
    const room = await create(checkpoint);
    try {
      room.move.clock.hold();
      room.autoDispose = false;
      fill(room, checkpoint);
      const clients = await room.move.snapshot.import(checkpoint.room);
      room.move.streams.restored(room.move.snapshot.encoder);
      return new RestoredRoom(room, clients, as);
    } catch (cause) {
      room.move.release();
      throw cause;
    }
  }

  /** Time goes on. To be called once the room can be found. @returns who is to come back */
  resume({ room: { sessions } }: Checkpoint): AwaitedPlayers {
    const dropped = sessions.filter((session) => session.dropped);
    const away = new Set(dropped.map(({ sessionId }) => sessionId));
    const present = [...this.clients.values()].filter(({ sessionId }) => !away.has(sessionId));
    const awaited = new AwaitedPlayers(this.room, present, this.#as, RETURN_WINDOW_MS);
    this.room.move.clock.resume(this.room.patchRate ?? 0);
    for (const session of dropped) {
      const client = this.clients.get(session.sessionId);
      if (client !== undefined) this.room.move.dropAgain(client, session);
    }
    return awaited;
  }
}

function fill(room: MovableRoom, { hasState, nodes, nextRefId, stateHash }: Checkpoint): void {
  const { encoder } = room.move.snapshot;
  if (hasState !== (encoder !== undefined)) {
    throw new CentroidError(
      "ROOM_ERROR",
      "the room had a state where it was saved and has none here, or the other way round; set it in onCreate() or as a field, and run the same rooms on all hosts",
    );
  }
  if (encoder === undefined) return;
  const writer = new StateWriter(encoder as never);
  writer.apply(nodes);
  writer.attach(room.move.snapshot.attachState() as never);
  writer.finish(nextRefId + SKIPPED_REF_IDS);
  const built = readSavedState(room);
  if (built.stateHash !== stateHash) {
    throw new CentroidError(
      "ROOM_ERROR",
      `state differs after restoring: ${stateHash} saved, ${built.stateHash} here`,
    );
  }
}
