/**
 * The orderly end of rooms: when a deployment ends, the rooms on its own hosts end first, each with its author's hooks
 * and a close code for its players, so that nothing is left that the next start would look for.
 */
import { CentroidError } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomRecord } from "../store/store.js";
import type { OwnerRecords } from "./owner-records.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";

/** What authors save in their hooks has to be through by then. */
const END_WITHIN_MS = 10_000;
/** Rooms end by themselves meanwhile, others arrive from a move: so often is looked again. */
const LOOK_AGAIN_MS = 20;

export interface EndRoomsOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  /** Rooms of an earlier broker whose hosts have not come back. */
  remembered: Map<string, RoomRecord>;
  records: Pick<OwnerRecords, "remove">;
  clock: Clock;
  logger: Logger;
}

/** What joins are answered with from the moment the rooms begin to end. */
export const shuttingDown = (): CentroidError =>
  new CentroidError("NO_HOST", "this deployment is shutting down; ask another broker, or join again later");

/**
 * Ends every room on these hosts. Rooms in the middle of a move end where the move leaves them. A room that has not
 * ended in time is forgotten: its host ends next.
 */
export async function endRooms(o: EndRoomsOptions, hostIds: readonly string[]): Promise<void> {
  const { rooms, clock, logger } = o;
  const ending = new Set(hostIds);
  for (const { roomId, hostId } of [...o.remembered.values()]) {
    if (!ending.has(hostId)) continue;
    o.remembered.delete(roomId);
    o.records.remove(roomId);
  }
  const untilMs = clock.now() + END_WITHIN_MS;
  const asked = new Set<RoomEntry>();
  const left = (): RoomEntry[] => [...rooms.values()].filter(({ stage }) => ending.has(stage.hostId));
  for (let now = left(); now.length > 0; now = left()) {
    if (clock.now() >= untilMs) {
      for (const room of now) {
        logger.warn({ roomId: room.roomId, state: room.stage.state }, "room did not end in time");
        rooms.apply(room, { type: "dispose" });
      }
      return;
    }
    for (const room of now) {
      // Nobody runs it now, and nobody is to build it again.
      if (room.stage.state === "restoring") rooms.apply(room, { type: "dispose" });
      if (asked.has(room) || room.stage.state !== "running") continue;
      asked.add(room);
      askToEnd(o, room, () => asked.delete(room));
    }
    await new Promise<void>((resolve) => clock.after(LOOK_AGAIN_MS, resolve));
  }
}

function askToEnd({ hosts, logger }: EndRoomsOptions, room: RoomEntry, again: () => void): void {
  const { roomId, epoch, stage } = room;
  const answer = hosts.get(stage.hostId)?.peer?.request({
    method: "disposeRoom",
    roomId,
    epoch,
    shutdown: true,
  });
  answer?.catch((cause: unknown) => {
    logger.debug({ roomId, cause }, "room did not end when asked");
    again();
  });
}
