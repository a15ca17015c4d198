/**
 * The life of a room as the broker knows it.
 *
 *   creating -> running <-> migrating
 *               running <-> restoring (its host is away; it may go on elsewhere)      any -> disposed
 */
import { CentroidError } from "@centroid/protocol";

/** Where players reach a room. */
export interface RoomAddress {
  processId: string;
  address: string;
}

export type RoomStage =
  | { state: "creating"; hostId: string }
  | { state: "running"; hostId: string; at: RoomAddress }
  | {
      state: "migrating";
      /** Owner until the switch. */
      hostId: string;
      at: RoomAddress;
      migrationId: string;
      toHostId: string;
      toEpoch: number;
    }
  | { state: "restoring"; hostId: string; at: RoomAddress; sinceMs: number }
  | { state: "disposed"; hostId: string };

export type RoomTransition =
  | { type: "created"; at: RoomAddress }
  | { type: "move"; migrationId: string; toHostId: string; toEpoch: number }
  /** The destination owns the room. */
  | { type: "committed"; migrationId: string; at: RoomAddress }
  /** The source goes on. */
  | { type: "rolled-back"; migrationId: string }
  | { type: "host-lost"; atMs: number }
  /** Its owner says where it is. */
  | { type: "host-back"; at: RoomAddress }
  /** Built again from its checkpoint, here. */
  | { type: "restored"; hostId: string; at: RoomAddress; epoch: number }
  /** Another broker had it moved or restored, or ended the move that this one began and moved it on. */
  | { type: "relocated"; hostId: string; at: RoomAddress; epoch: number }
  | { type: "dispose" };

function illegal(stage: RoomStage, event: RoomTransition): never {
  throw new CentroidError("INTERNAL", `a room that is ${stage.state} cannot be "${event.type}"`);
}

/** @throws CentroidError INTERNAL on a transition that the table above does not have */
export function nextStage(stage: RoomStage, event: RoomTransition): RoomStage {
  const { hostId } = stage;
  if (stage.state === "disposed") return illegal(stage, event);
  switch (event.type) {
    case "created":
      return stage.state === "creating" ? { state: "running", hostId, at: event.at } : illegal(stage, event);
    case "move": {
      // One that is being restored may be on a move that an earlier broker left open.
      if (stage.state !== "running" && stage.state !== "restoring") return illegal(stage, event);
      const { migrationId, toHostId, toEpoch } = event;
      return { state: "migrating", hostId, at: stage.at, migrationId, toHostId, toEpoch };
    }
    case "committed":
      return stage.state === "migrating" && stage.migrationId === event.migrationId
        ? { state: "running", hostId: stage.toHostId, at: event.at }
        : illegal(stage, event);
    case "rolled-back":
      return stage.state === "migrating" && stage.migrationId === event.migrationId
        ? { state: "running", hostId, at: stage.at }
        : illegal(stage, event);
    case "host-lost":
      return stage.state === "running"
        ? { state: "restoring", hostId, at: stage.at, sinceMs: event.atMs }
        : illegal(stage, event);
    case "host-back":
      if (stage.state === "migrating") return { ...stage, at: event.at };
      return stage.state === "restoring" || stage.state === "running"
        ? { state: "running", hostId, at: event.at }
        : illegal(stage, event);
    case "restored":
      return stage.state === "restoring"
        ? { state: "running", hostId: event.hostId, at: event.at }
        : illegal(stage, event);
    case "relocated":
      return stage.state === "creating"
        ? illegal(stage, event)
        : { state: "running", hostId: event.hostId, at: event.at };
    case "dispose":
      return { state: "disposed", hostId };
    default: {
      const never: never = event;
      return illegal(stage, never);
    }
  }
}
