/** The control API under /api/v1: what the CLI and the dashboard use. Described in /openapi.json. */
import {
  auditEntrySchema,
  CentroidError,
  decisionSchema,
  hostSchema,
  idSchema,
  locationSchema,
  PROTOCOL_VERSION,
  receiptSchema,
  roomSchema,
  whoamiSchema,
} from "@centroid/protocol";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import { hostView, peerOf } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import type { DecisionLog } from "../placement/decision-log.js";
import type { PlacementEngine } from "../placement/engine.js";
import { roomFacts } from "../placement/room-facts.js";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { Store } from "../store/store.js";
import { auditOrders } from "./audit.js";
import { callerOf, type Guard } from "./guard.js";
import {
  failureResponses,
  type OperatorOrdersOptions,
  operatorOrders,
  roomParamsSchema,
} from "./operator-orders.js";
import type { Views } from "./views.js";

const MAX_RECEIPTS_PER_ANSWER = 1_000;
const MAX_AUDIT_PER_ANSWER = 1_000;

export interface OperatorRoutesOptions extends OperatorOrdersOptions {
  brokerId: string;
  emulated: boolean;
  emulationUrl: string | undefined;
  views: Views;
  engine: PlacementEngine;
  decisions: DecisionLog;
  migrator: Migrator;
  store: Store;
  guard: Guard;
  clock: Clock;
  newId: NewId;
  logger: Logger;
}

const statusSchema = z.object({
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

const whatIfSchema = z.object({
  roomId: idSchema,
  /** Where that player would be. */
  location: locationSchema,
  /** A player of the room who would be there instead of where it is; one more player if not given. */
  playerId: idSchema.optional(),
});

export async function operatorRoutes(instance: FastifyInstance, o: OperatorRoutesOptions): Promise<void> {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const startedAtMs = o.clock.now();
  const { hosts, rooms, views, guard } = o;
  /** The room's host, to be asked. */
  const peer = (roomId: string) => peerOf(hosts.require(rooms.require(roomId).stage.hostId));

  auditOrders(instance, o);
  app.addHook("onRequest", async (request) => {
    const caller = callerOf(request.raw);
    const reads = request.method === "GET" || request.method === "HEAD" || request.routeOptions.config.reads;
    if (reads === true) guard.read(caller);
    else guard.admin(caller);
  });

  // Wherever an operator names a room, the beginning of its id is enough while no other begins so.
  const completed = <T extends { roomId?: string | undefined }>(named: T): T => {
    const roomId = named.roomId === undefined ? undefined : rooms.find(named.roomId)?.roomId;
    return roomId === undefined ? named : { ...named, roomId };
  };
  app.addHook("preHandler", async (request) => {
    const params = roomParamsSchema.partial().safeParse(request.params);
    if (params.success) Object.assign(request.params as object, completed(params.data));
  });

  app.get(
    "/hosts",
    { schema: { summary: "Every host", response: { 200: z.array(hostSchema), ...failureResponses } } },
    async () => [...hosts.values()].map(hostView),
  );

  app.get(
    "/rooms",
    { schema: { summary: "Every room", response: { 200: z.array(roomSchema), ...failureResponses } } },
    async () => [...rooms.values()].map((room) => views.room(room)),
  );

  app.get(
    "/rooms/:roomId",
    {
      schema: {
        summary: "One room",
        params: roomParamsSchema,
        response: { 200: roomSchema, ...failureResponses },
      },
    },
    async ({ params }) => views.room(rooms.require(params.roomId)),
  );

  app.get(
    "/rooms/:roomId/decisions",
    {
      schema: {
        summary: "Why the room is where it is: its last decisions, newest first",
        params: roomParamsSchema,
        response: { 200: z.array(decisionSchema), ...failureResponses },
      },
    },
    async ({ params }) => {
      rooms.require(params.roomId);
      return o.decisions.of(params.roomId);
    },
  );

  app.get(
    "/rooms/:roomId/state",
    {
      schema: {
        summary: "The room's state as its host has it now",
        params: roomParamsSchema,
        response: {
          200: z.object({ state: z.unknown(), sessions: z.array(z.string()), clockMs: z.number() }),
          ...failureResponses,
        },
      },
    },
    async ({ params: { roomId } }) => peer(roomId).request({ method: "inspect", roomId }),
  );

  app.get(
    "/receipts",
    {
      schema: {
        summary: "Finished migrations, newest first",
        querystring: z.object({
          roomId: idSchema.optional(),
          limit: z.coerce.number().int().min(1).max(MAX_RECEIPTS_PER_ANSWER).default(100),
        }),
        response: { 200: z.array(receiptSchema), ...failureResponses },
      },
    },
    async ({ query }) => o.store.receipts(completed(query)),
  );

  app.get(
    "/status",
    { schema: { summary: "This broker", response: { 200: statusSchema, ...failureResponses } } },
    async () => ({
      brokerId: o.brokerId,
      protocol: PROTOCOL_VERSION,
      emulated: o.emulated,
      ...(o.emulationUrl !== undefined && { emulationUrl: o.emulationUrl }),
      hosts: hosts.size,
      rooms: rooms.size,
      players: rooms.players,
      migrations: o.migrator.views().length,
      uptimeMs: o.clock.now() - startedAtMs,
      rssBytes: process.memoryUsage.rss(),
    }),
  );

  app.get(
    "/whoami",
    {
      schema: {
        summary: "What the caller's token allows",
        response: { 200: whoamiSchema, ...failureResponses },
      },
    },
    async ({ raw, headers }) => {
      const caller = callerOf(raw);
      // Who shows a token wants to know about that token, not whether it may read without.
      if (headers.authorization !== undefined && guard.roleOf(caller) === undefined)
        throw new CentroidError("UNAUTHORIZED", "wrong token");
      return { role: guard.read(caller) };
    },
  );

  app.get(
    "/audit",
    {
      schema: {
        summary: "Who ordered what, when, and what became of it; newest first",
        querystring: z.object({
          beforeMs: z.coerce.number().optional(),
          limit: z.coerce.number().int().min(1).max(MAX_AUDIT_PER_ANSWER).default(100),
        }),
        response: { 200: z.array(auditEntrySchema), ...failureResponses },
      },
    },
    async ({ query }) => o.store.audit(query),
  );

  operatorOrders(instance, o);

  app.post(
    "/whatif",
    {
      config: { reads: true },
      schema: {
        summary: "What would be decided if a player were there; nothing is moved",
        body: whatIfSchema,
        response: { 200: decisionSchema, ...failureResponses },
      },
    },
    async ({ body }) => {
      const { roomId, ...question } = completed(body);
      return whatIf(o, rooms.require(roomId), question);
    },
  );
}

function whatIf(
  o: OperatorRoutesOptions,
  room: RoomEntry,
  { location, playerId }: Omit<z.infer<typeof whatIfSchema>, "roomId">,
) {
  const facts = roomFacts(room);
  if (playerId !== undefined && !facts.playerIds.includes(playerId))
    throw new CentroidError("SESSION_NOT_FOUND", `no player "${playerId}" in room ${room.roomId}`);
  const guest = `what-if:${room.roomId.slice(0, 40)}`;
  o.engine.upsertPlayer(guest, location);
  try {
    const others = facts.playerIds.filter((id) => id !== playerId);
    return o.engine.whatIf({ ...facts, playerIds: [...others, guest] }, o.clock.now());
  } finally {
    o.engine.removePlayer(guest);
  }
}
