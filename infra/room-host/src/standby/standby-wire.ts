/** What a room's host and its standby say to each other, over one WebSocket that the room's host dials. */
import { z } from "zod";
import { firstAnswersSchema } from "../colyseus/first-answers.js";
import { carriedRoomSchema, nodeRecordSchema, pack, unpack } from "../transfer/packing.js";

const count = z.number().int().nonnegative();

const fromPrimarySchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("begin"),
    options: z.unknown(),
    hasState: z.boolean(),
    firstAnswers: firstAnswersSchema.optional(),
  }),
  /** A part of the state, before the first `record`. */
  z.object({ type: z.literal("nodes"), nodes: z.array(nodeRecordSchema) }),
  /** With it the standby has the room as it was at one instant between two of its handlers. */
  z.object({
    type: z.literal("record"),
    seq: count,
    nodes: z.array(nodeRecordSchema),
    removed: z.array(count),
    nextRefId: count,
    stateHash: z.string(),
    takenAtMs: z.number(),
    room: carriedRoomSchema,
  }),
  /** This standby is not needed any more. */
  z.object({ type: z.literal("retired") }),
  /** The room moves to it: from here on the connection is that of a hand-off, to the destination with that ticket. */
  z.object({ type: z.literal("promote"), migrationId: z.string(), ticket: z.string() }),
]);
export type FromPrimary = z.infer<typeof fromPrimarySchema>;

const fromStandbySchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("has"), seq: count }),
  /** A player's second connection is here, which would serve for a move, too. In a hand-off it means the same. */
  z.object({ type: z.literal("attached"), sessionId: z.string() }),
]);
export type FromStandby = z.infer<typeof fromStandbySchema>;

export const encodeFeed = (message: FromPrimary | FromStandby): Buffer => pack(message);
/** @throws CentroidError FRAME_INVALID */
export const decodeFromPrimary = (frame: Uint8Array): FromPrimary =>
  unpack(frame, fromPrimarySchema, "standby feed");
/** @throws CentroidError FRAME_INVALID */
export const decodeFromStandby = (frame: Uint8Array): FromStandby =>
  unpack(frame, fromStandbySchema, "standby's answer");
