/** May this room move to that host? Pure; one reason per error, each with what to do. */
import { type CarrierKind, CentroidError, type OrderedMechanism } from "@centroid/protocol";
import type { HostEntry } from "../hosts/host-registry.js";
import type { RoomEntry } from "../rooms/room-registry.js";

/** @throws CentroidError ROOM_MOVING | HOST_LOST | ROOM_NOT_FOUND | BAD_REQUEST | HOST_NOT_ACTIVE | CARRIER_UNAVAILABLE | ROOM_TYPE_UNKNOWN | HOST_FULL */
export function assertCanMove(room: RoomEntry, to: HostEntry): void {
  const { roomId, stage } = room;
  const { hostId, carriers, roomTypes, capacityRooms } = to.facts;
  switch (stage.state) {
    case "running":
      if (room.calledOff === undefined) break;
      throw new CentroidError(
        "ROOM_MOVING",
        `the last move of room ${roomId} is still being rolled back; try again shortly`,
      );
    case "creating":
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is still being created; try again shortly`);
    case "migrating":
      throw new CentroidError(
        "ROOM_MOVING",
        `room ${roomId} is moving to ${stage.toHostId}; try again afterwards`,
      );
    case "restoring":
      throw new CentroidError(
        "HOST_LOST",
        `host ${stage.hostId} of room ${roomId} is not connected; the room cannot be moved from there`,
      );
    case "disposed":
      throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} has ended`);
    default: {
      const never: never = stage;
      throw new CentroidError("INTERNAL", `unknown stage ${JSON.stringify(never)}`);
    }
  }
  if (stage.hostId === hostId)
    throw new CentroidError("BAD_REQUEST", `room ${roomId} is already on ${hostId}`);
  if (to.stage.state !== "active") {
    throw new CentroidError(
      "HOST_NOT_ACTIVE",
      `host ${hostId} is ${to.stage.state}; activate it or choose another`,
    );
  }
  if (to.peer === undefined)
    throw new CentroidError(
      "HOST_NOT_ACTIVE",
      `the agent of ${hostId} is not connected; choose another host`,
    );
  if (!carriers.includes(room.carrier))
    throw new CentroidError(
      "CARRIER_UNAVAILABLE",
      `host ${hostId} does not offer the carrier ${room.carrier}`,
    );
  if (roomTypes.length > 0 && !roomTypes.includes(room.name))
    throw new CentroidError("ROOM_TYPE_UNKNOWN", `host ${hostId} has no room type "${room.name}"`);
  if (to.roomIds.size >= capacityRooms)
    throw new CentroidError("HOST_FULL", `host ${hostId} is full (${capacityRooms} rooms); choose another`);
}

const MECHANISMS: Readonly<Record<CarrierKind, readonly OrderedMechanism[]>> = {
  process: [],
  vm: ["precopy", "postcopy"],
  container: ["precopy", "postcopy", "hybrid", "stop-and-copy"],
};

/** @throws CentroidError BAD_REQUEST if rooms of its kind do not move like that */
export function assertMechanism(
  { roomId, carrier }: RoomEntry,
  mechanism: OrderedMechanism | undefined,
): void {
  const known = MECHANISMS[carrier];
  if (mechanism === undefined || known.includes(mechanism)) return;
  throw new CentroidError(
    "BAD_REQUEST",
    known.length === 0
      ? `room ${roomId} runs in a process: it moves by hand-off, without --mechanism`
      : `room ${roomId} moves by ${known.join(" or ")}, not by ${mechanism}`,
  );
}
