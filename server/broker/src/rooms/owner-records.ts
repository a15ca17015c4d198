/**
 * What is on record of the rooms that this broker decides about: who owns each, at which epoch, and its standby. Other
 * brokers see these rooms too, but not all that the deciding one has written down.
 */
import { CentroidError } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { RoomRecord, Store } from "../store/store.js";
import type { RoomEvents } from "./room-events.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";

/** By then some broker decides about the rooms of every shard again. */
const REMEMBER_ENDED_MS = 120_000;

export interface OwnerRecordsOptions {
  rooms: RoomRegistry;
  store: Pick<Store, "putRoom" | "removeRoom">;
  events: Emitter<RoomEvents>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  clock: Clock;
  logger: Logger;
}

export class OwnerRecords {
  readonly #options: OwnerRecordsOptions;
  /** Rooms that ended while another broker, or none, decided about them, with what ended, oldest first. */
  readonly #ended = new Map<string, { atMs: number; epoch: number }>();

  constructor(options: OwnerRecordsOptions) {
    this.#options = options;
    options.events.on("room.removed", ({ room }) => this.remove(room.roomId));
    options.events.on("room.ended", ({ roomId, epoch }) => this.#note(roomId, epoch));
  }

  /**
   * Resolves when the room's owner and standby are stored durably; does nothing if another broker decides.
   * @throws CentroidError STORE_UNAVAILABLE if they could not be; they are once that is possible, as they are then
   */
  async put(room: RoomEntry): Promise<void> {
    if (this.#options.owns(room.roomId)) await this.#options.store.putRoom(recordOf(room));
  }

  /** The same where nobody has to wait for a store that is away: whoever reads the old record finds the journal too. */
  async putWhenPossible(room: RoomEntry): Promise<void> {
    const { roomId } = room;
    await this.put(room).catch((cause: unknown) =>
      this.#options.logger.error({ roomId, cause }, "the room's host could not be stored yet"),
    );
  }

  /** The room is over. A broker that does not decide about it may only have lost sight of it. */
  remove(roomId: string): void {
    const { store, owns, logger } = this.#options;
    if (!owns(roomId)) return;
    store.removeRoom(roomId).catch((cause: unknown) => logger.error({ roomId, cause }, "room not removed"));
  }

  /**
   * This broker decides about these rooms from now on: those that ended while nobody did are removed, unless another host
   * had been given the room by then, and only the former one's copy ended.
   * @returns those that go on
   */
  takeOver(records: Iterable<RoomRecord>): RoomRecord[] {
    const { rooms } = this.#options;
    return [...records].filter(({ roomId, epoch }) => {
      const ended = this.#ended.get(roomId);
      this.#ended.delete(roomId);
      const isOver = ended !== undefined && rooms.get(roomId) === undefined && epoch <= ended.epoch;
      if (isOver) this.remove(roomId);
      return !isOver;
    });
  }

  #note(roomId: string, epoch: number): void {
    const { owns, clock } = this.#options;
    const nowMs = clock.now();
    for (const [earlier, { atMs }] of this.#ended) {
      if (nowMs - atMs < REMEMBER_ENDED_MS) break;
      this.#ended.delete(earlier);
    }
    if (!owns(roomId)) this.#ended.set(roomId, { atMs: nowMs, epoch });
  }

  /** After a time in which something could not be stored: writes all rooms anew. */
  async rewrite(store: Pick<Store, "putRoom">): Promise<void> {
    for (const room of [...this.#options.rooms.values()]) {
      if (room.stage.state === "creating" || !this.#options.owns(room.roomId)) continue;
      try {
        await store.putRoom(recordOf(room));
      } catch (cause) {
        // Another broker decides about it by now.
        if (!(cause instanceof CentroidError && cause.code === "STALE_EPOCH")) throw cause;
      }
    }
  }
}

const recordOf = ({
  roomId,
  name,
  carrier,
  epoch,
  fencedEpoch,
  createdAtMs,
  stage,
  asked,
  standby,
}: RoomEntry): RoomRecord => {
  const { hostId } = asked ?? stage;
  return {
    roomId,
    name,
    carrier,
    epoch: asked?.epoch ?? epoch,
    fencedEpoch,
    createdAtMs,
    hostId,
    standby,
  };
};
