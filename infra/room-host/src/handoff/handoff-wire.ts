/** What source and destination of a hand-off say to each other, over one WebSocket that the source dials. */
import { wireErrorSchema } from "@centroid/protocol";
import { z } from "zod";
import { firstAnswersSchema } from "../colyseus/first-answers.js";
import { carriedRoomSchema, nodeRecordSchema, pack, unpack } from "../transfer/packing.js";
import type { RoomDigest } from "../transfer/room-digest.js";

const count = z.number().int().nonnegative();
const invitation = z.object({ sessionId: z.string(), ticket: z.string() });

/** Looked at closely by whoever compares it. */
const digest = z.custom<RoomDigest>((value) => typeof (value as RoomDigest | null)?.state === "string");
const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array);
const stepEvents = z.array(
  z.discriminatedUnion("type", [
    z.object({ type: z.literal("frame"), sessionId: z.string(), frame: bytes }),
    z.object({ type: z.literal("turn"), steps: z.number().int().positive() }),
    z.object({ type: z.literal("patch") }),
    z.object({ type: z.literal("digest"), number: count, digest }),
  ]),
);
/** All that the destination lacks of the room. */
const rest = {
  nodes: z.array(nodeRecordSchema),
  removed: z.array(count),
  nextRefId: count,
  stateHash: z.string(),
  room: carriedRoomSchema,
};

const fromSourceSchema = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("begin"),
    options: z.unknown(),
    hasState: z.boolean(),
    firstAnswers: firstAnswersSchema.optional(),
  }),
  /** A session that will come over, and the ticket by which it is known. */
  z.object({ type: z.literal("invite"), invitations: z.array(invitation) }),
  z.object({ type: z.literal("uninvite"), sessionId: z.string() }),
  z.object({ type: z.literal("nodes"), nodes: z.array(nodeRecordSchema) }),
  /** The first pass is complete. */
  z.object({ type: z.literal("built") }),
  /** The rest, all at once: from here on the room does not run at the source. */
  z.object({
    type: z.literal("freeze"),
    ...rest,
    /** Since the last patch, and until this message left: aligns the destination's first tick. */
    sinceTickMs: z.number(),
  }),
  /** The same of a deterministic room that goes on at the source: what drives it there follows. */
  z.object({ type: z.literal("follow"), ...rest }),
  z.object({ type: z.literal("log"), events: stepEvents }),
  /** The end of the log, until the agreed step: from there on the room runs at the destination. */
  z.object({
    type: z.literal("take-over"),
    events: stepEvents,
    /** From when this arrives, until the agreed step is due. */
    dueInMs: z.number(),
    withoutInputMs: z.number(),
  }),
  z.object({
    type: z.literal("replayed"),
    sessionId: z.string(),
    frames: z.array(bytes).optional(),
  }),
  z.object({ type: z.literal("released") }),
  z.object({ type: z.literal("abort") }),
]);
export type FromSource = z.infer<typeof fromSourceSchema>;

const fromDestinationSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  /** The first pass is applied; the tree is built. */
  z.object({ type: z.literal("built") }),
  /** A session's second socket is here. */
  z.object({ type: z.literal("attached"), sessionId: z.string() }),
  /** The room runs at the destination now. */
  z.object({ type: z.literal("accepted"), stateHash: z.string() }),
  /** The room that follows was the same at the digest of that number. */
  z.object({ type: z.literal("agreed"), number: count }),
  /** It is not, and is given up; the room can be brought anew. */
  z.object({ type: z.literal("differs"), part: z.string(), step: count }),
  /** It does not and will not; the source goes on. */
  z.object({ type: z.literal("refused"), error: wireErrorSchema }),
  /** This session's old socket broke: what did it miss after `received` frames? */
  z.object({ type: z.literal("replay"), sessionId: z.string(), received: count }),
  /** What it said while it was a standby, under way when it was promoted. */
  z.object({ type: z.literal("has") }),
]);
export type FromDestination = z.infer<typeof fromDestinationSchema>;

export const encodeTransfer = (message: FromSource | FromDestination): Buffer => pack(message);
/** @throws CentroidError FRAME_INVALID */
export const decodeFromSource = (frame: Uint8Array): FromSource =>
  unpack(frame, fromSourceSchema, "transfer frame");
/** @throws CentroidError FRAME_INVALID */
export const decodeFromDestination = (frame: Uint8Array): FromDestination =>
  unpack(frame, fromDestinationSchema, "transfer frame");
