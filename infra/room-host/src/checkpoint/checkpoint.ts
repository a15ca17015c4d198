/**
 * A room at one instant, as bytes: its state graph, its sessions, clock and timers. What a room is built from
 * again when its host is gone.
 */
import { z } from "zod";
import { firstAnswersSchema } from "../colyseus/first-answers.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StateReader } from "../colyseus/schema/reader.js";
import type { NodeRecord } from "../colyseus/schema/records.js";
import { carriedRoomSchema, nodeRecordSchema, pack, unpack } from "../transfer/packing.js";
import { StateHash } from "../transfer/state-hash.js";

/** Of the bytes, so that a newer agent says what is wrong instead of misreading an older one's. */
export const CHECKPOINT_FORMAT = 3;

const checkpointSchema = z.object({
  format: z.literal(CHECKPOINT_FORMAT),
  options: z.unknown().optional(),
  firstAnswers: firstAnswersSchema.optional(),
  hasState: z.boolean(),
  nodes: z.array(nodeRecordSchema),
  nextRefId: z.number().int().nonnegative(),
  stateHash: z.string(),
  takenAtMs: z.number(),
  room: carriedRoomSchema,
});
export type Checkpoint = z.infer<typeof checkpointSchema>;

/** Every node of a room's state as it is now, the hash of them all, and the id counter; nothing for a room without state. */
export function readSavedState(room: MovableRoom): {
  nodes: NodeRecord[];
  stateHash: string;
  nextRefId: number;
} {
  const { encoder } = room.move.snapshot;
  const hash = new StateHash();
  const nodes: NodeRecord[] = [];
  if (encoder === undefined) return { nodes, stateHash: hash.toString(), nextRefId: 0 };
  const reader = new StateReader(encoder as never);
  for (const refId of reader.refIds()) {
    const record = reader.read(refId);
    if (record === undefined) continue;
    nodes.push(record);
    hash.set(record);
  }
  return { nodes, stateHash: hash.toString(), nextRefId: reader.nextRefId };
}

/**
 * Takes a room as it is between two of its handlers.
 * @throws CentroidError ROOM_NOT_MOVABLE if a part of it cannot be carried; ROOM_ERROR if `onFreeze` throws
 */
export function takeCheckpoint(room: MovableRoom, options: unknown, nowMs: number): Checkpoint {
  return {
    format: CHECKPOINT_FORMAT,
    options,
    firstAnswers: room.move.firstAnswers.export(),
    hasState: room.move.snapshot.encoder !== undefined,
    ...readSavedState(room),
    takenAtMs: nowMs,
    room: room.move.snapshot.export({ saves: true }),
  };
}

export const encodeCheckpoint = (checkpoint: Checkpoint): Buffer => pack(checkpoint);

/** @throws CentroidError FRAME_INVALID */
export const decodeCheckpoint = (bytes: Uint8Array): Checkpoint =>
  unpack(bytes, checkpointSchema, "checkpoint");
