/** What a room host knows about one of its rooms, and what follows from it. */
import { CentroidError, type Seated } from "@centroid/protocol";
import type { Acknowledgements } from "../checkpoint/acknowledgements.js";
import type { AwaitedPlayers } from "../checkpoint/awaited-players.js";
import type { Checkpointer } from "../checkpoint/checkpointer.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { StateComparison } from "../compare/state-comparison.js";
import type { Replicator } from "../standby/replicator.js";
import type { HeardRooms } from "./heard-rooms.js";
import { type HostedStage, nextHostedStage, type StageEvent } from "./hosted-stage.js";
import type { PlayerActivity } from "./player-activity.js";

export interface Seat {
  playerId: string;
  network: string | undefined;
}

/** How a running room survives this host. */
export interface Protection extends Disposable {
  acknowledgements: Acknowledgements;
  checkpointer: Checkpointer;
  replicator: Replicator | undefined;
}

export interface Hosted {
  name: string;
  options: unknown;
  epoch: number;
  seats: Map<string, Seat>;
  protection: Protection | undefined;
  /** Compares players' copies of the state with the room's, while it runs here. */
  comparison?: StateComparison;
  /** How much its players do, while it runs here. */
  activity?: PlayerActivity;
  /** Which rooms it hears, while it runs here. */
  hears?: HeardRooms;
  /** Its players who are still to come, since it was built from a checkpoint. */
  awaited: AwaitedPlayers | undefined;
  /** Written by {@link advance} alone. */
  readonly stage: HostedStage;
}

/** What has happened to a room's move changes its stage; nothing else does. @returns whether it did */
export function advance(hosted: Hosted, event: StageEvent): boolean {
  const next = nextHostedStage(hosted.stage, event);
  if (next === hosted.stage) return false;
  (hosted as { stage: HostedStage }).stage = next;
  return true;
}

/** Who is connected, as far as this host runs the room. */
export function seated({ stage, seats }: Hosted): Seated[] {
  if (stage.name === "arriving") return [];
  return stage.room.clients.map(({ sessionId }) => seatedAs(sessionId, seats.get(sessionId)));
}

/** A session, and whose it is if this host knows that. */
export function seatedAs(sessionId: string, seat: Seat | undefined): Seated {
  if (seat === undefined) return { sessionId };
  const { playerId, network } = seat;
  return { sessionId, playerId, ...(network !== undefined && { network }) };
}

/** The room, if this host runs it. @throws CentroidError ROOM_MOVING */
export function runningRoom(roomId: string, { stage }: Hosted): MovableRoom {
  if (stage.name === "arriving") throw new CentroidError("ROOM_MOVING", `room ${roomId} is on its way here`);
  if (stage.name === "leaving" && stage.source.state !== "copying" && stage.source.state !== "rolled-back") {
    throw new CentroidError("ROOM_MOVING", `room ${roomId} is being moved; ask again`);
  }
  return stage.room;
}
