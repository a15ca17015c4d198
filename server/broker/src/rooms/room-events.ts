/** What happens to rooms and to the sessions in them, and what room hosts report about moves and standbys. */
import type { RoomEvent, RoomReport } from "@centroid/protocol";
import type { OfferedPlace, RoomEntry, RoomSession } from "./room-registry.js";

/** What to do about a room without a checkpoint: wait for its host, or end it since its host surely lost it. */
export type WithoutCheckpoint = "wait" | "dispose";
/** What ended or hung the process that a room ran in. */
export type Blame = NonNullable<Extract<RoomEvent, { event: "lost" }>["blame"]>;
/** What hosts say about a move under way. */
export type MoveReport = Extract<RoomEvent, { event: "phase" | "owned" | "report" }>;

export interface RoomEvents {
  /** Something that is shown of the room changed. */
  "room.changed": { room: RoomEntry };
  /** What it says that it computes is not what it said before. */
  "room.work-changed": { room: RoomEntry };
  /** Its players do notably more than they did, or less. */
  "room.activity-changed": { room: RoomEntry };
  /** Which other rooms it hears by presence, and how often. */
  "room.hears": { room: RoomEntry; rooms: Extract<RoomEvent, { event: "hears" }>["rooms"] };
  /** A room has sent so many of its players to another. */
  "room.travelled": { fromRoomId: string; toRoomId: string; players: number };
  "room.removed": { room: RoomEntry };
  /** This broker asked a host to make a place for it. */
  "room.offered": { room: RoomEntry; place: OfferedPlace };
  /** Its own host said that it ended: it is over for every broker. */
  "room.ended": { roomId: string; epoch: number };
  /** Its host names all who are connected: this broker has not known that before. */
  "room.seated": { room: RoomEntry };
  /** This broker wants to know the players of other rooms than before. */
  "tracking.changed": object;
  "session.joined": { room: RoomEntry; session: RoomSession };
  /** A player has measured round trips. */
  "session.measured": {
    room: RoomEntry;
    session: RoomSession;
    said: Extract<RoomEvent, { event: "measured" }>;
  };
  "session.left": { room: RoomEntry; session: RoomSession };
  /** Its host is lost, or lost the room: it has to be restored elsewhere. */
  "room.away": { room: RoomEntry; without: WithoutCheckpoint };
  /** Its code ended its host's process. `room.away` may follow. */
  "room.crashed": { room: RoomEntry; blame: Blame };
  /** It asks for a warm standby. */
  "room.replicated": { roomId: string };
  /** A host said that it runs a room to which nothing on record leads it. */
  "room.claim-refused": { roomId: string; hostId: string };
  /** The room's host lost its standby. */
  "standby.broken": { hostId: string; roomId: string; standbyId: string };
  /** The standby's host lost the room that feeds it. */
  "standby.orphaned": { hostId: string; roomId: string; standbyId: string };
  /** A player's copy of the state differed from the room's, and was sent again. */
  "room.diverged": { roomId: string };
  /** Timers and open sockets that a room had at a host it has left. */
  "room.left-behind": { timers: number; open: number };
  "move.reported": { hostId: string; change: MoveReport };
  /** A room is found at the destination of its move. */
  "move.arrived": { hostId: string; report: RoomReport };
}
