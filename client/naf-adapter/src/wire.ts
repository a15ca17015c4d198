/** What the adapter and the relay room say to each other. */
import { z } from "zod";

/** Scenes with the same channel see each other. */
export const nafJoinSchema = z.object({ channel: z.string().min(1).max(200) });

/** To one player, or to all others of the channel. The data is networked-aframe's own. */
export const outgoingSchema = z.object({
  to: z.string().max(64).optional(),
  type: z.string().min(1).max(200),
  data: z.unknown(),
});
export type Outgoing = z.infer<typeof outgoingSchema>;

export const incomingSchema = z.object({ from: z.string(), type: z.string(), data: z.unknown() });

export const timeRequestSchema = z.object({ sentMs: z.number() });
export const timeReplySchema = z.object({ sentMs: z.number(), serverMs: z.number() });
