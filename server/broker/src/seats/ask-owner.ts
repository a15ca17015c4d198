/** Asks whichever host owns a room, also while the room is being moved. */
import { CentroidError } from "@centroid/protocol";
import { type Clock, within } from "../base/clock.js";
import type { Migrator } from "../moves/migrator.js";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";

/** Moves of one room that a caller sits out. */
const MAX_ATTEMPTS = 5;
/** A caller waits so long for a room that is being moved. */
const MOVE_WAIT_MS = 20_000;

/**
 * Asks the owner; if the room is being moved, waits and asks the host that has it then.
 * @throws CentroidError HOST_LOST | ROOM_NOT_FOUND | ROOM_MOVING, or what the host says
 */
export async function askOwner<T extends RoomAddress>(
  { migrator, clock }: { migrator: Migrator; clock: Clock },
  room: RoomEntry,
  ask: (hostId: string) => Promise<T>,
): Promise<T> {
  const late = (): CentroidError =>
    new CentroidError("ROOM_MOVING", `room ${room.roomId} is still being moved; try again shortly`);
  for (let attempt = 1; ; attempt++) {
    const { hostId } = room.stage;
    if (room.stage.state === "restoring")
      throw new CentroidError(
        "HOST_LOST",
        `the host of room ${room.roomId} is not connected; try again shortly`,
      );
    if (room.stage.state === "disposed")
      throw new CentroidError("ROOM_NOT_FOUND", `room "${room.roomId}" has ended`);
    try {
      const seat = await ask(hostId);
      // The seat moved along while the answer was on its way.
      const { stage } = room;
      return stage.hostId !== hostId && stage.state === "running" ? { ...seat, ...stage.at } : seat;
    } catch (cause) {
      const error = CentroidError.from(cause);
      const moved = room.stage.hostId !== hostId || room.stage.state === "migrating";
      const moving = error.code === "ROOM_MOVING" || (error.code === "ROOM_NOT_FOUND" && moved);
      if (!moving || attempt >= MAX_ATTEMPTS) throw error;
      await within(clock, MOVE_WAIT_MS, migrator.whenSettled(room.roomId), late);
    }
  }
}
