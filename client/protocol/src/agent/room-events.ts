/** What happens in a room, as its host tells it, and the room as it was at a moment. */
import { z } from "zod";
import { wireErrorSchema } from "../errors.js";
import { idSchema, locationSchema, migrationPhaseSchema, networkSchema } from "../model.js";
import { MAX_NEXT, MAX_REPORTS, probeReportSchema } from "../player-api.js";
import {
  activitySchema,
  epochSchema as epoch,
  roomListingSchema,
  roomReportSchema,
  roomTrafficSchema,
  roomWorkloadSchema,
  seatedSchema,
} from "./room-report.js";

/** Of the rooms that one hears, those it hears most. */
export const MAX_HEARD_ROOMS = 8;

/** Something that happened in a room, reported by its host. */
export const roomEventSchema = z.discriminatedUnion("event", [
  seatedSchema.extend({ event: z.literal("joined") }),
  z.object({ event: z.literal("left"), sessionId: z.string() }),
  /** All who are connected: for a broker that decides about the room from now on. */
  z.object({ event: z.literal("seated"), sessions: z.array(seatedSchema) }),
  roomListingSchema.extend({ event: z.literal("listing") }),
  /** What its heavy work costs just now; told again and again while there is some, and once more when there is none. */
  roomWorkloadSchema.extend({ event: z.literal("work") }),
  /**
   * Its players do more than they did, or less; told at most twice a second, and only of notable changes. Every few seconds
   * also who of them says and sees how much, while they are not all alike and for some time after.
   */
  z.object({
    event: z.literal("activity"),
    activity: activitySchema,
    players: roomTrafficSchema.optional(),
  }),
  /** Which rooms it hears by presence, and how often; told every few seconds at most, and only of notable changes. */
  z.object({
    event: z.literal("hears"),
    rooms: z.array(z.object({ roomId: idSchema, perSecond: z.number().nonnegative() })).max(MAX_HEARD_ROOMS),
  }),
  /** It runs here from now on: new, moved or restored. For the brokers that did not order it. */
  z.object({ event: z.literal("running"), report: roomReportSchema }),
  z.object({ event: z.literal("disposed") }),
  z.object({
    event: z.literal("lost"),
    error: wireErrorSchema,
    /** This room's code ended the process, or hung it. */
    blame: z
      .object({ how: z.enum(["hung", "exited"]), what: z.string(), sessionId: z.string().optional() })
      .optional(),
  }),
  z.object({
    event: z.literal("phase"),
    migrationId: idSchema,
    phase: migrationPhaseSchema,
    bytes: z.number(),
  }),
  /** Destination: the room runs here from now on. */
  z.object({ event: z.literal("owned"), migrationId: idSchema }),
  z.object({
    event: z.literal("report"),
    migrationId: idSchema,
    sessionId: z.string(),
    gapMs: z.number(),
    patchRateMs: z.number(),
    lost: z.number().int(),
    duplicated: z.number().int(),
    undone: z.number().int().optional(),
  }),
  /** A player has measured round trips. For the broker that decides about the room. */
  z.object({
    event: z.literal("measured"),
    sessionId: z.string(),
    network: networkSchema.optional(),
    location: locationSchema.optional(),
    probes: z.array(probeReportSchema).max(MAX_REPORTS),
  }),
  /** A player's copy of the state was not what the room has; it was sent again. */
  z.object({ event: z.literal("diverged"), sessionId: z.string() }),
  /** Source of a move that is over: how many timers of the room were stopped there, and what of it is still open. */
  z.object({
    event: z.literal("left-behind"),
    timers: z.number().int().nonnegative(),
    open: z.number().int().nonnegative(),
  }),
  /** Owner: the connection to the standby broke; the room waits until it is told to go on without. */
  z.object({ event: z.literal("standby-broken"), standbyId: idSchema }),
  /** Standby: the owner's connection broke without a word. */
  z.object({ event: z.literal("standby-orphaned"), standbyId: idSchema }),
]);
export type RoomEvent = z.infer<typeof roomEventSchema>;

/** What a player in a room is to measure next, and when. */
export const measureOrderSchema = z.object({
  roomId: idSchema,
  sessionId: z.string(),
  next: z.array(idSchema).max(MAX_NEXT),
  intervalMs: z.number().nonnegative(),
});
export type MeasureOrder = z.infer<typeof measureOrderSchema>;

/** A room as it was at `takenAtMs`: bytes in base64. */
export const savedRoomSchema = z.object({
  epoch,
  seq: z.number().int().nonnegative(),
  takenAtMs: z.number(),
  data: z.string(),
});

/** A room as it was at `takenAtMs`, to be kept where the host's death does not reach it. */
export const roomCheckpointSchema = savedRoomSchema.extend({
  type: z.literal("checkpoint"),
  roomId: idSchema,
});
export type RoomCheckpoint = z.infer<typeof roomCheckpointSchema>;
