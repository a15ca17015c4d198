/** HTTP bodies of the broker: matchmaking for clients, the control API for operators. */
import { z } from "zod";
import { errorCodeSchema } from "./errors.js";
import { idSchema, locationSchema, networkSchema, orderedMechanismSchema } from "./model.js";
import { probeReportSchema } from "./player-api.js";

/** What the SDK adds to matchmaking options under `CENTROID_OPTIONS_KEY`; the room never sees it. */
export const joinHintsSchema = z.object({
  protocol: z.number().int(),
  playerId: idSchema.optional(),
  /** Proves that this is the player it says it is; needed for an id that was given to somebody before. */
  playerToken: z.string().max(200).optional(),
  /** Which of a host's addresses to hand out, for hosts reachable over several networks. */
  network: networkSchema.optional(),
  location: locationSchema.optional(),
  probes: z.array(probeReportSchema).max(64).default([]),
  /** It may be answered with MEASURE_FIRST. */
  canMeasure: z.boolean().optional(),
  /** Players who will join together: the room is placed for all of them. */
  party: z
    .array(z.object({ probes: z.array(probeReportSchema).max(64), location: locationSchema.optional() }))
    .max(64)
    .optional(),
});
export type JoinHints = z.infer<typeof joinHintsSchema>;

export const matchmakeMethodSchema = z.enum(["joinOrCreate", "join", "joinById", "create", "reconnect"]);
export type MatchmakeMethod = z.infer<typeof matchmakeMethodSchema>;

export const moveRequestSchema = z.object({
  hostId: idSchema,
  /** Of a room in a virtual machine or container; chosen by predicted cost when absent. */
  mechanism: orderedMechanismSchema.optional(),
});
export type MoveRequest = z.infer<typeof moveRequestSchema>;

/** What a token allows: `admin` everything, `viewer` reading. */
export const roleSchema = z.enum(["admin", "viewer"]);
export type Role = z.infer<typeof roleSchema>;

/** `GET /api/v1/whoami` */
export const whoamiSchema = z.object({ role: roleSchema });

/** `GET /api/v1/status` */
export const statusSchema = z.object({
  brokerId: idSchema,
  protocol: z.number().int(),
  emulated: z.boolean(),
  emulationUrl: z.string().optional(),
  hosts: z.number().int(),
  rooms: z.number().int(),
  players: z.number().int(),
  migrations: z.number().int(),
  uptimeMs: z.number(),
  rssBytes: z.number(),
});

/** `POST /api/v1/whatif` */
export const whatIfSchema = z.object({
  roomId: idSchema,
  /** Where that player would be. */
  location: locationSchema,
  /** A player of the room who would be there instead of where it is; one more player if not given. */
  playerId: idSchema.optional(),
});
export type WhatIfRequest = z.infer<typeof whatIfSchema>;

/** An operator's test message. `type` and `payload` are those of Colyseus' `send(type, payload)`. */
export const operatorMessageSchema = z.object({
  to: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("everyone") }),
    z.object({ kind: z.literal("player"), sessionId: z.string().min(1).max(64) }),
    /** The room's own handler runs, as if this player had sent it. */
    z.object({ kind: z.literal("room"), fromSessionId: z.string().min(1).max(64) }),
  ]),
  type: z.union([z.string().min(1).max(128), z.number().int().min(0).max(0xffff)]),
  payload: z.unknown().optional(),
});
export type OperatorMessage = z.infer<typeof operatorMessageSchema>;

/** What an operator can do, as the audit log names it. */
export const auditActionSchema = z.enum([
  "move",
  "lock",
  "unlock",
  "kick",
  "message",
  "drain",
  "activate",
  "issue-agent-token",
  "revoke-agent-token",
  "shared-agent-token",
]);
export type AuditAction = z.infer<typeof auditActionSchema>;

/** One order to the broker: who gave it, what it was, when, and what became of it. Never changed once written. */
export const auditEntrySchema = z.object({
  auditId: idSchema,
  atMs: z.number(),
  brokerId: idSchema,
  who: z.object({
    /** By the token; `none` if there was none that is known. */
    role: z.enum(["admin", "viewer", "none"]),
    address: z.string(),
    /** As the caller calls itself; tokens are shared, so nobody vouches for it. */
    name: z.string().optional(),
  }),
  action: auditActionSchema,
  roomId: z.string().optional(),
  hostId: z.string().optional(),
  sessionId: z.string().optional(),
  /** The order's body, if it is small. */
  details: z.unknown().optional(),
  /** `begun`: on record before it was carried out; what became of it could not be recorded. */
  outcome: z.enum(["begun", "done", "refused", "failed"]),
  code: z.optional(errorCodeSchema),
  message: z.string().optional(),
  tookMs: z.number(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;
/** Header in which a caller of the control API may say its name, URI-encoded. */
export const OPERATOR_HEADER = "centroid-operator";
