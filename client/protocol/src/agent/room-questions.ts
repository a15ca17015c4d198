/** What rooms say to each other, and ask of the whole deployment, wherever they run. */
import { z } from "zod";
import { wireErrorSchema } from "../errors.js";
import { idSchema } from "../model.js";
import { presenceCommandSchema } from "./presence-commands.js";
import { addressSchema as address } from "./room-report.js";

/** What a room says to whichever rooms listen, wherever they are: passed on at most once. */
export const publishedSchema = z.object({
  type: z.literal("published"),
  topic: z.string().max(200),
  data: z.unknown(),
  /** By which a room that is between two hosts hears it once. */
  id: z.string().max(100).optional(),
  /** The room that says it. */
  from: idSchema.optional(),
});
export type Published = z.infer<typeof publishedSchema>;

/** What a room asks of the whole deployment. */
export const roomQuestionSchema = z.discriminatedUnion("method", [
  z.object({
    method: z.literal("rooms"),
    roomIds: z.array(z.string()).optional(),
    name: z.string().optional(),
  }),
  z.object({ method: z.literal("createRoom"), name: z.string(), options: z.unknown() }),
  z.object({
    method: z.literal("callRoom"),
    roomId: z.string(),
    member: z.string(),
    args: z.array(z.unknown()).optional(),
  }),
  /** Reads or changes a key that all rooms share; answered by a `PresenceReply`. */
  z.object({ method: z.literal("presence"), command: presenceCommandSchema }),
  /** Players of a room go to another: a new one of that name, placed for them, or one that is there. */
  z.object({
    method: z.literal("travel"),
    /** Where they are. */
    roomId: idSchema,
    to: z.union([z.object({ roomId: z.string() }), z.object({ name: z.string() })]),
    options: z.unknown(),
    players: z
      .array(
        z.object({
          sessionId: z.string(),
          /** Its `client.auth`, which goes along. */
          auth: z.unknown().optional(),
        }),
      )
      .min(1),
  }),
]);
export type RoomQuestion = z.infer<typeof roomQuestionSchema>;

/** A room as rooms are told of it; Colyseus' IRoomCache. */
export const roomRowSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  processId: z.string(),
  /** Where players dial; if not given, where they asked for the seat. */
  publicAddress: address.optional(),
  clients: z.number().int().nonnegative(),
  maxClients: z.number().int().nonnegative().optional(),
  locked: z.boolean(),
  private: z.boolean(),
  unlisted: z.boolean(),
  metadata: z.unknown().optional(),
  createdAtMs: z.number(),
});
export type RoomRow = z.infer<typeof roomRowSchema>;

/** What became of players who travel: a seat as Colyseus reserves one, or why there is none. */
export const travelAnswerSchema = z.object({
  roomId: idSchema,
  seats: z.array(
    z.object({
      /** Of the room that it comes from. */
      sessionId: z.string(),
      seat: z
        .object({
          name: z.string(),
          sessionId: z.string(),
          roomId: idSchema,
          processId: z.string(),
          publicAddress: address.optional(),
        })
        .optional(),
      error: z.optional(wireErrorSchema),
    }),
  ),
});
export type TravelAnswer = z.infer<typeof travelAnswerSchema>;

export const roomAskedSchema = z.object({
  type: z.literal("asked"),
  requestId: z.number().int(),
  question: roomQuestionSchema,
});
export const roomAnswerSchema = z.object({
  type: z.literal("answered"),
  requestId: z.number().int(),
  result: z.unknown().optional(),
  error: z.optional(wireErrorSchema),
});
export type RoomAnswer = z.infer<typeof roomAnswerSchema>;
