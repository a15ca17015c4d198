/** Puts an operator's test message where it belongs: to players as the room's own, or to the room as a player's. */
import { CentroidError, type OperatorMessage } from "@centroid/protocol";
import { type Client, getMessageBytes, Protocol, type Room } from "@colyseus/core";

/**
 * @returns how many received it
 * @throws CentroidError SESSION_NOT_FOUND
 */
export function deliver(room: Room, { to, type, payload }: OperatorMessage): number {
  switch (to.kind) {
    case "everyone":
      room.broadcast(type, payload);
      return room.clients.length;
    case "player":
      player(room, to.sessionId).send(type, payload);
      return 1;
    case "room":
      // The way every frame of that player takes, counters of its connection left alone.
      player(room, to.fromSessionId).ref.emit(
        "message",
        Buffer.from(getMessageBytes.raw(Protocol.ROOM_DATA, type as never, payload)),
      );
      return 1;
    default: {
      const never: never = to;
      throw new CentroidError("BAD_REQUEST", `unknown receiver ${JSON.stringify(never)}`);
    }
  }
}

function player(room: Room, sessionId: string): Client {
  const client = room.clients.getById(sessionId);
  if (client === undefined)
    throw new CentroidError("SESSION_NOT_FOUND", `no session ${sessionId} in this room`);
  return client;
}
