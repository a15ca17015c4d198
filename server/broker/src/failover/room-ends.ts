/**
 * The end of rooms that cannot be rescued: it is put on record with its reason, so that players, other brokers and a host
 * that comes back too late are told (FAIL-8).
 */
import { CentroidError, type Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostEntry } from "../hosts/host-registry.js";
import type { MoveEvents } from "../moves/move-events.js";
import { type EndedRooms, endOf, endReceipt } from "../rooms/ended-rooms.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { Store } from "../store/store.js";

export interface RoomEndsOptions {
  rooms: RoomRegistry;
  ended: EndedRooms;
  events: Emitter<HostEvents & MoveEvents>;
  store: Pick<Store, "closeMigration">;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  clock: Clock;
  newId: NewId;
  logger: Logger;
}

export class RoomEnds {
  readonly #options: RoomEndsOptions;

  constructor(options: RoomEndsOptions) {
    this.#options = options;
    options.events.on("host.forgotten", ({ host }) => this.#hostForgotten(host));
  }

  /** @param why as the end of "was lost with its host a, ..." */
  lost(room: RoomEntry, why: string): void {
    const { roomId, stage } = room;
    const message = `room ${roomId} was lost with its host ${stage.hostId}, ${why}; create or join another room`;
    this.end(room, new CentroidError("ROOM_LOST", message));
  }

  /** Its players hear why. Other brokers hear it by the receipt. */
  end(room: RoomEntry, reason: CentroidError): void {
    const { rooms, clock, newId, ended, events, store, logger } = this.#options;
    const { roomId, name } = room;
    ended.add(room, reason);
    logger.error({ roomId, name, code: reason.code }, `room ended: ${reason.message}`);
    const receipt = endReceipt(room, { migrationId: newId(), reason, atMs: clock.now() });
    rooms.apply(room, { type: "dispose" });
    store.closeMigration(receipt).catch((cause: unknown) => logger.error({ cause }, "receipt not stored"));
    events.emit("move.finished", { receipt, room: undefined });
  }

  /** Another broker, which decides about the room, has put this on record. */
  recorded(receipt: Receipt): void {
    const { rooms, ended } = this.#options;
    const reason = endOf(receipt);
    const room = rooms.get(receipt.roomId);
    if (reason === undefined || room?.stage.state !== "restoring") return;
    ended.add(room, reason);
    rooms.apply(room, { type: "dispose" });
  }

  /** Nobody waits for this host, nor for the rooms that only it has, any longer. */
  #hostForgotten({ roomIds, facts: { hostId } }: HostEntry): void {
    const { rooms, owns } = this.#options;
    for (const roomId of [...roomIds]) {
      const room = rooms.get(roomId);
      if (room?.stage.hostId !== hostId || room.stage.state !== "restoring") continue;
      if (owns(roomId)) this.lost(room, "which did not come back");
      else rooms.apply(room, { type: "dispose" });
    }
  }
}
