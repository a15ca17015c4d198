/**
 * What is on record of the rooms that this broker decides about: who owns each, at which epoch, and its standby. Other
 * brokers see these rooms too, but not all that the deciding one has written down.
 */
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { RoomRecord, Store } from "../store/store.js";
import type { RoomEvents } from "./room-events.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";

export interface OwnerRecordsOptions {
  rooms: RoomRegistry;
  store: Pick<Store, "rooms" | "putRoom" | "removeRoom">;
  events: Emitter<RoomEvents>;
  /** Rooms known from before this broker started; taken out as their hosts say hello. */
  remembered: ReadonlyMap<string, RoomRecord>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  logger: Logger;
}

export class OwnerRecords {
  readonly #options: OwnerRecordsOptions;

  constructor(options: OwnerRecordsOptions) {
    this.#options = options;
    options.events.on("room.removed", ({ room }) => this.remove(room.roomId));
  }

  /** Resolves when the room's owner and standby are stored durably; does nothing if another broker decides. */
  async put(room: RoomEntry): Promise<void> {
    const { roomId, name, carrier, epoch, fencedEpoch, createdAtMs, stage, standby } = room;
    if (!this.#options.owns(roomId)) return;
    const { hostId } = stage;
    await this.#options.store.putRoom({
      roomId,
      name,
      carrier,
      epoch,
      fencedEpoch,
      createdAtMs,
      hostId,
      standby,
    });
  }

  /** The room is over. A broker that does not decide about it may only have lost sight of it. */
  remove(roomId: string): void {
    const { store, owns, logger } = this.#options;
    if (!owns(roomId)) return;
    store.removeRoom(roomId).catch((cause: unknown) => logger.error({ roomId, cause }, "room not removed"));
  }

  /** After a time in which nothing could be stored: writes all rooms anew and removes those that ended. */
  async rewrite(): Promise<void> {
    const { rooms, store, owns, remembered } = this.#options;
    for (const room of [...rooms.values()]) if (room.stage.state !== "creating") await this.put(room);
    for (const { roomId } of await store.rooms()) {
      if (owns(roomId) && rooms.get(roomId) === undefined && !remembered.has(roomId))
        await store.removeRoom(roomId);
    }
  }
}
