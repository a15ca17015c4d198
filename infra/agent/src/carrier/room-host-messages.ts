/** Messages of a room host that are the same whatever it runs in; each carrier adds those specific to its channel. */
import { publishedSchema, roomAskedSchema, wireErrorSchema } from "@centroid/protocol";
import { z } from "zod";

export const roomHostMessages = [
  z.object({ type: z.literal("notice"), line: z.string() }),
  publishedSchema,
  roomAskedSchema,
  z.object({ type: z.literal("failed"), message: z.string() }),
  z.object({ type: z.literal("usage"), cpuMicros: z.number(), rssBytes: z.number() }),
  z.object({
    type: z.literal("reply"),
    requestId: z.number(),
    result: z.unknown().optional(),
    error: z.optional(wireErrorSchema),
  }),
] as const;
