/** A room as the placement knows it. */
import type { RoomFacts } from "@centroid/placement";
import type { RoomEntry } from "../rooms/room-registry.js";

export function roomFacts(room: RoomEntry): {
  roomId: string;
  name: string;
  carrier: string;
  hostId: string;
  playerIds: string[];
  work?: RoomFacts["work"];
  activity?: number;
  weights?: RoomFacts["weights"];
} {
  const { weights } = room.weights;
  const playerIds = new Set<string>();
  for (const { playerId } of room.sessions.values()) if (playerId !== undefined) playerIds.add(playerId);
  return {
    roomId: room.roomId,
    name: room.name,
    carrier: room.carrier,
    hostId: room.stage.hostId,
    playerIds: [...playerIds],
    ...(room.demand !== undefined && { work: room.demand }),
    ...(room.activity !== undefined && { activity: room.activity }),
    ...(weights !== undefined && { weights }),
  };
}
