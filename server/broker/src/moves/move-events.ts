/** What happens to moves, restores among them. */
import type { MigrationView, Receipt } from "@centroid/protocol";
import type { RoomEntry } from "../rooms/room-registry.js";

export interface MoveEvents {
  /** It began, or entered another phase. */
  "move.progressed": { migration: MigrationView };
  /** It is over and its record is stored; without `room` if the room ended. */
  "move.finished": { receipt: Receipt; room: RoomEntry | undefined };
}
