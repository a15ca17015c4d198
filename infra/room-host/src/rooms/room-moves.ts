/**
 * What every carrier offers for moving rooms, whatever they run in: the room host by hand-off, machines by live
 * migration. The broker's four requests about a move come here and nowhere else.
 */
import { type AgentRequest, type AgentResults, CentroidError } from "@centroid/protocol";

type MoveMethod = "migrateIn" | "migrateOut" | "abortMigration" | "migrationStatus";
export type RoomMoveRequest<M extends MoveMethod = MoveMethod> = Extract<AgentRequest, { method: M }>;

export interface RoomMoves {
  /** Makes this host ready to be the destination. @throws CentroidError ROOM_MOVING | ROOM_TYPE_UNKNOWN */
  migrateIn(
    request: RoomMoveRequest<"migrateIn">,
  ): AgentResults["migrateIn"] | Promise<AgentResults["migrateIn"]>;
  /** Moves a room to where `migrateIn` said. Settles when it is known which host owns the room. @throws CentroidError */
  migrateOut(request: RoomMoveRequest<"migrateOut">): Promise<AgentResults["migrateOut"]>;
  /** @returns false if no such move is under way here, or only the other host can call it off */
  abort(roomId: string, migrationId: string): boolean | Promise<boolean>;
  /** Which side of a move this host is. */
  status(roomId: string): AgentResults["migrationStatus"];
}

/** @throws CentroidError */
export async function handleMove(
  moves: RoomMoves,
  request: RoomMoveRequest,
): Promise<AgentResults[MoveMethod]> {
  switch (request.method) {
    case "migrateIn":
      return moves.migrateIn(request);
    case "migrateOut":
      return moves.migrateOut(request);
    case "abortMigration":
      return { aborted: await moves.abort(request.roomId, request.migrationId) };
    case "migrationStatus":
      return moves.status(request.roomId);
    default: {
      const never: never = request;
      throw new CentroidError("INTERNAL", JSON.stringify(never));
    }
  }
}
