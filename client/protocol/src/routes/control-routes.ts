/** The control API for operators: what the CLI, the dashboard and other brokers call, each call once. */
import { z } from "zod";
import { agentResultSchemas } from "../agent/requests.js";
import {
  type AuditAction,
  auditEntrySchema,
  moveRequestSchema,
  operatorMessageSchema,
  statusSchema,
  whatIfSchema,
  whoamiSchema,
} from "../api.js";
import { decisionSchema, hostSchema, idSchema, receiptSchema, roomSchema } from "../model.js";
import type { ApiRoute } from "./route.js";

export interface ControlRoute extends ApiRoute {
  /** It is an order: it needs the admin token, and the audit log records it under this name. */
  readonly audit?: AuditAction;
  /** It changes nothing although it is no GET. */
  readonly reads?: true;
}

const MAX_ENTRIES_PER_ANSWER = 1_000;
/** What a room host takes from a player in one frame. */
const MAX_MESSAGE_BODY_BYTES = 64 * 1024;

/** Nobody drains by the day. */
const MAX_DRAIN_MS = 24 * 60 * 60_000;

const roomParams = z.object({ roomId: idSchema });
const hostParams = z.object({ hostId: idSchema });
const limit = z.coerce.number<number>().int().min(1).max(MAX_ENTRIES_PER_ANSWER).default(100);
const lockedSchema = z.object({ locked: z.boolean() });

export const controlRoutes = {
  hosts: { method: "GET", path: "/api/v1/hosts", summary: "Every host", answer: z.array(hostSchema) },
  rooms: { method: "GET", path: "/api/v1/rooms", summary: "Every room", answer: z.array(roomSchema) },
  room: {
    method: "GET",
    path: "/api/v1/rooms/:roomId",
    summary: "One room",
    params: roomParams,
    answer: roomSchema,
  },
  decisions: {
    method: "GET",
    path: "/api/v1/rooms/:roomId/decisions",
    summary: "Why the room is where it is: its last decisions, newest first",
    params: roomParams,
    answer: z.array(decisionSchema),
  },
  roomState: {
    method: "GET",
    path: "/api/v1/rooms/:roomId/state",
    summary: "The room's state as its host has it now",
    params: roomParams,
    answer: agentResultSchemas.inspect,
  },
  receipts: {
    method: "GET",
    path: "/api/v1/receipts",
    summary: "Finished migrations, newest first",
    query: z.object({ roomId: idSchema.optional(), limit }),
    answer: z.array(receiptSchema),
  },
  status: { method: "GET", path: "/api/v1/status", summary: "This broker", answer: statusSchema },
  whoami: {
    method: "GET",
    path: "/api/v1/whoami",
    summary: "What the caller's token allows",
    answer: whoamiSchema,
  },
  audit: {
    method: "GET",
    path: "/api/v1/audit",
    summary: "Who ordered what, when, and what became of it; newest first",
    query: z.object({ beforeMs: z.coerce.number<number>().optional(), limit }),
    answer: z.array(auditEntrySchema),
  },
  whatIf: {
    method: "POST",
    path: "/api/v1/whatif",
    summary: "What would be decided if a player were there; nothing is moved",
    body: whatIfSchema,
    answer: decisionSchema,
    reads: true,
  },
  move: {
    method: "POST",
    path: "/api/v1/rooms/:roomId/move",
    summary: "Move a room; answers with the receipt when it is there",
    params: roomParams,
    body: moveRequestSchema,
    answer: receiptSchema,
    audit: "move",
  },
  kick: {
    method: "POST",
    path: "/api/v1/rooms/:roomId/sessions/:sessionId/kick",
    summary: "Remove a player",
    params: roomParams.extend({ sessionId: z.string().min(1).max(64) }),
    answer: agentResultSchemas.kick,
    audit: "kick",
  },
  lock: {
    method: "POST",
    path: "/api/v1/rooms/:roomId/lock",
    summary: "Nobody new can join; those inside stay",
    params: roomParams,
    answer: lockedSchema,
    audit: "lock",
  },
  unlock: {
    method: "POST",
    path: "/api/v1/rooms/:roomId/unlock",
    summary: "Players can join again",
    params: roomParams,
    answer: lockedSchema,
    audit: "unlock",
  },
  message: {
    method: "POST",
    path: "/api/v1/rooms/:roomId/message",
    summary: "Send a test message: to everyone, to one player, or to the room as if a player had sent it",
    params: roomParams,
    body: operatorMessageSchema,
    answer: agentResultSchemas.message,
    maxBodyBytes: MAX_MESSAGE_BODY_BYTES,
    audit: "message",
  },
  drain: {
    method: "POST",
    path: "/api/v1/hosts/:hostId/drain",
    summary: "Take no new rooms and move those there away",
    params: hostParams,
    query: z.object({
      withinMs: z.coerce
        .number<number>()
        .positive()
        .max(MAX_DRAIN_MS)
        .optional()
        .describe("The host should be empty after so long: as many rooms move at a time as that takes"),
    }),
    answer: hostSchema,
    audit: "drain",
  },
  activate: {
    method: "POST",
    path: "/api/v1/hosts/:hostId/activate",
    summary: "Take rooms again",
    params: hostParams,
    answer: hostSchema,
    audit: "activate",
  },
  issueAgentToken: {
    method: "POST",
    path: "/api/v1/hosts/:hostId/agent-token",
    summary: "Make a token for one host; what its agent has now is good until this one is used",
    params: hostParams,
    answer: hostParams.extend({ token: z.string() }),
    audit: "issue-agent-token",
  },
  revokeAgentToken: {
    method: "POST",
    path: "/api/v1/hosts/:hostId/agent-token/revoke",
    summary: "Nobody joins as this host any more, until there is a new token for it",
    params: hostParams,
    answer: hostParams,
    audit: "revoke-agent-token",
  },
  sharedAgentToken: {
    method: "PUT",
    path: "/api/v1/shared-agent-token",
    summary: "Whether hosts without a token of their own join with the shared one",
    body: z.object({ accepted: z.boolean() }),
    answer: z.object({ accepted: z.boolean(), hostIds: z.array(idSchema) }),
    audit: "shared-agent-token",
  },
} as const satisfies Record<string, ControlRoute>;
