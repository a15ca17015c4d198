/** A room as its host reports it: where it is reached, who sits in it, how matchmaking sees it. */
import { z } from "zod";
import { carrierKindSchema, idSchema, networkSchema } from "../model.js";

export const epochSchema = z.number().int().nonnegative();
/** `host:port` where players reach a room host. */
export const addressSchema = z.string().min(1).max(200);

export const seatedSchema = z.object({
  sessionId: z.string(),
  playerId: idSchema.optional(),
  network: networkSchema.optional(),
});
export type Seated = z.infer<typeof seatedSchema>;

/** A room as matchmaking sees it: what Colyseus keeps in its listing, and how its type asks rooms to be chosen. */
export const roomListingSchema = z.object({
  locked: z.boolean(),
  maxPlayers: z.number().int().nonnegative().optional(),
  /** Nobody gets in but by the room's id. */
  private: z.boolean().optional(),
  /** Not to be shown in a lobby. */
  unlisted: z.boolean().optional(),
  metadata: z.unknown().optional(),
  /** Options of a joiner that the room's own values must equal. */
  filterBy: z.array(z.string()).optional(),
  /** Which of several rooms comes first. */
  sortBy: z.record(z.string(), z.enum(["asc", "desc"])).optional(),
});
export type RoomListing = z.infer<typeof roomListingSchema>;

/** What a room's heavy work costs at its host, as measured lately; as its class declares it before that. */
export const roomWorkloadSchema = z.object({
  /** CPU time of one request, in a worker. */
  msPerRequest: z.number().nonnegative(),
  perSecond: z.number().nonnegative(),
  /** Mean time that a request waited for a worker. */
  queueMs: z.number().nonnegative(),
  /** Not measured yet: as its class declares it, for a core of the reference machine. */
  declared: z.boolean().optional(),
});
export type RoomWorkload = z.infer<typeof roomWorkloadSchema>;

/** How much a room's players do just now, or its author says they do: 0 nobody does anything, 1 all are in the middle of something. */
export const activitySchema = z.number().min(0).max(1);

/** Players of a room who are told of one by one: those of whom others see most. */
export const MAX_TOLD_PLAYERS = 32;
const perSecond = z.number().nonnegative();
/** Frames a second between a player and its room: those from it for others to see, and those that it is sent. */
const trafficSchema = z.object({ says: perSecond, sees: perSecond });
/** What passed between a room and its players in the last few seconds; `others` in the mean. */
export const roomTrafficSchema = z.object({
  told: z.array(trafficSchema.extend({ sessionId: z.string() })).max(MAX_TOLD_PLAYERS),
  others: trafficSchema,
});
export type RoomTraffic = z.infer<typeof roomTrafficSchema>;

export const roomReportSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  carrier: carrierKindSchema,
  epoch: epochSchema,
  processId: z.string(),
  address: addressSchema,
  /** What came with the order that gave the room to this host; an agent that was started again has it no more. */
  grant: z.string().max(64).optional(),
  /** True while the room is still owned elsewhere (a destination being filled). */
  passive: z.boolean(),
  ...roomListingSchema.shape,
  /** Its class asks for a warm standby on another host. */
  replicated: z.boolean().optional(),
  sessions: z.array(seatedSchema),
  /** Of a room that has heavy work, or declares some. */
  work: roomWorkloadSchema.optional(),
  activity: activitySchema.optional(),
});
export type RoomReport = z.infer<typeof roomReportSchema>;
