/** What source and destination of a hand-off say to each other, over one WebSocket that the source dials. */
import { wireErrorSchema } from "@centroid/protocol";
import { z } from "zod";
import { carriedRoomSchema, nodeRecordSchema, pack, unpack } from "../transfer/packing.js";

const count = z.number().int().nonnegative();
const invitation = z.object({ sessionId: z.string(), ticket: z.string() });

const fromSourceSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("begin"), options: z.unknown(), hasState: z.boolean() }),
  /** A session that will come over, and the ticket by which it is known. */
  z.object({ type: z.literal("invite"), invitations: z.array(invitation) }),
  z.object({ type: z.literal("uninvite"), sessionId: z.string() }),
  z.object({ type: z.literal("nodes"), nodes: z.array(nodeRecordSchema) }),
  /** The first pass is complete. */
  z.object({ type: z.literal("built") }),
  /** The rest, all at once: from here on the room does not run at the source. */
  z.object({
    type: z.literal("freeze"),
    nodes: z.array(nodeRecordSchema),
    removed: z.array(count),
    nextRefId: count,
    stateHash: z.string(),
    /** Since the last patch, and until this message left: aligns the destination's first tick. */
    sinceTickMs: z.number(),
    room: carriedRoomSchema,
  }),
  z.object({
    type: z.literal("replayed"),
    sessionId: z.string(),
    frames: z.array(z.custom<Uint8Array>((value) => value instanceof Uint8Array)).optional(),
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
  /** It does not and will not; the source goes on. */
  z.object({ type: z.literal("refused"), error: wireErrorSchema }),
  /** This session's old socket broke: what did it miss after `received` frames? */
  z.object({ type: z.literal("replay"), sessionId: z.string(), received: count }),
]);
export type FromDestination = z.infer<typeof fromDestinationSchema>;

export const encodeTransfer = (message: FromSource | FromDestination): Buffer => pack(message);
/** @throws CentroidError FRAME_INVALID */
export const decodeFromSource = (frame: Uint8Array): FromSource =>
  unpack(frame, fromSourceSchema, "transfer frame");
/** @throws CentroidError FRAME_INVALID */
export const decodeFromDestination = (frame: Uint8Array): FromDestination =>
  unpack(frame, fromDestinationSchema, "transfer frame");
