/** What one broker tells or asks another one alone, over a connection of theirs. */
import { idSchema, MAX_NEXT, probeRequestSchema, wireErrorSchema } from "@centroid/protocol";
import { z } from "zod";

const { playerId, network, location, probes, way, gatewayId, gateways } = probeRequestSchema.shape;

/** What a player measured, as it told the broker that it asked. */
const playerReportBodySchema = z.object({
  playerId,
  network,
  location,
  /** The network that it came from. */
  place: z.string().max(200).optional(),
  probes,
  way,
  gatewayId,
  gateways,
});
export type PlayerReportBody = z.infer<typeof playerReportBodySchema>;

export const reportAnswerSchema = z.object({
  /** Hosts to be measured next. */
  next: z.array(idSchema).max(MAX_NEXT),
  intervalMs: z.number(),
  /** By which gateway the player had better come. */
  gatewayId: idSchema.optional(),
  rejected: z.array(z.object({ hostId: z.string(), reason: z.string() })),
});
export type ReportAnswer = z.infer<typeof reportAnswerSchema>;

const carriedSchema = z.object({
  roomId: idSchema,
  sessionId: z.string().max(128),
  gatewayId: idSchema,
  rttMs: z.number(),
});
export type Carried = z.infer<typeof carriedSchema>;

/** In one message, which stays below the size of a frame. */
export const MAX_WAYS = 500;

const toldWaySchema = z.object({
  roomId: idSchema,
  sessionId: z.string().max(128),
  /** None: it goes to its room's host directly. */
  gatewayId: idSchema.optional(),
  /** It was said so long ago. */
  agoMs: z.number().nonnegative(),
});
export type ToldWay = z.infer<typeof toldWaySchema>;

export const brokerMessageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("measured"), body: playerReportBodySchema }),
  z.object({ type: z.literal("report"), requestId: z.number().int(), body: playerReportBodySchema }),
  z.object({ type: z.literal("carried"), players: z.array(carriedSchema) }),
  z.object({ type: z.literal("ways"), ways: z.array(toldWaySchema).max(MAX_WAYS) }),
]);
export type BrokerMessage = z.infer<typeof brokerMessageSchema>;

export const brokerAnswerSchema = z.object({
  requestId: z.number().int(),
  result: z.unknown().optional(),
  error: z.optional(wireErrorSchema),
});
export type BrokerAnswer = z.infer<typeof brokerAnswerSchema>;
