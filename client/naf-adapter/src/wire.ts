/** What the adapter and the relay room say to each other. */
import { z } from "zod";

/** UTF-16 units of a piece: at most three bytes each, so that a piece fits into a frame of 64 KB. */
export const PART_LENGTH = 20_000;
const MAX_PARTS = 64;
/** What one message may be in all, UTF-16 units of its JSON. */
export const MAX_MESSAGE_LENGTH = PART_LENGTH * MAX_PARTS;

/** Scenes with the same channel see each other. */
export const nafJoinSchema = z.object({ channel: z.string().min(1).max(200) });

/** Of a message that is larger than a frame: `data` is a piece of its JSON. */
const partSchema = z.object({
  /** The sender's number of the message. */
  id: z.number().int().nonnegative(),
  index: z.number().int().nonnegative(),
  count: z.number().int().min(1).max(MAX_PARTS),
});

/** To one player, or to all others of the channel. The data is networked-aframe's own. */
export const outgoingSchema = z.object({
  to: z.string().max(64).optional(),
  type: z.string().min(1).max(200),
  data: z.unknown(),
  part: partSchema.optional(),
});
export type Outgoing = z.infer<typeof outgoingSchema>;

export const incomingSchema = z.object({
  from: z.string(),
  type: z.string(),
  data: z.unknown(),
  part: partSchema.optional(),
});
export type Incoming = z.infer<typeof incomingSchema>;

export const timeRequestSchema = z.object({ sentMs: z.number() });
export const timeReplySchema = z.object({ sentMs: z.number(), serverMs: z.number() });
