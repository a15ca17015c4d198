/** The control API under /api/v1: what the CLI and the dashboard use. Described in /openapi.json. */
import { CentroidError, controlRoutes, PROTOCOL_VERSION, type WhatIfRequest } from "@centroid/protocol";
import type { FastifyInstance } from "fastify";
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
import { type OperatorOrdersOptions, operatorOrders } from "./operator-orders.js";
import { serveRoute } from "./serve-route.js";
import type { Views } from "./views.js";

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

export async function operatorRoutes(app: FastifyInstance, o: OperatorRoutesOptions): Promise<void> {
  const startedAtMs = o.clock.now();
  const { hosts, rooms, views, guard } = o;

  auditOrders(app, o);
  app.addHook("onRequest", async (request) => {
    const caller = callerOf(request.raw);
    const { route } = request.routeOptions.config;
    const reads = request.method === "GET" || request.method === "HEAD" || route?.reads === true;
    if (reads) guard.read(caller);
    else guard.admin(caller);
  });

  // Wherever an operator names a room, the beginning of its id is enough while no other begins so.
  const completed = <T extends { roomId?: string | undefined }>(named: T): T => {
    const roomId = named.roomId === undefined ? undefined : rooms.find(named.roomId)?.roomId;
    return roomId === undefined ? named : { ...named, roomId };
  };
  app.addHook("preHandler", async ({ params }) => {
    Object.assign(params as object, completed(params as { roomId?: string }));
  });

  serveRoute(app, controlRoutes.hosts, async () => [...hosts.values()].map(hostView));
  serveRoute(app, controlRoutes.rooms, async () => [...rooms.values()].map((room) => views.room(room)));
  serveRoute(app, controlRoutes.room, async ({ params }) => views.room(rooms.require(params.roomId)));

  serveRoute(app, controlRoutes.decisions, async ({ params }) => {
    rooms.require(params.roomId);
    return o.decisions.of(params.roomId);
  });

  serveRoute(app, controlRoutes.roomState, async ({ params: { roomId } }) =>
    peerOf(hosts.require(rooms.require(roomId).stage.hostId)).request({ method: "inspect", roomId }),
  );

  serveRoute(app, controlRoutes.receipts, async ({ query }) => o.store.receipts(completed(query)));

  serveRoute(app, controlRoutes.status, async () => ({
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
  }));

  serveRoute(app, controlRoutes.whoami, async (_, { raw, headers }) => {
    const caller = callerOf(raw);
    // Who shows a token wants to know about that token, not whether it may read without.
    if (headers.authorization !== undefined && guard.roleOf(caller) === undefined)
      throw new CentroidError("UNAUTHORIZED", "wrong token");
    return { role: guard.read(caller) };
  });

  serveRoute(app, controlRoutes.audit, async ({ query }) => o.store.audit(query));

  operatorOrders(app, o);

  serveRoute(app, controlRoutes.whatIf, async ({ body }) => {
    const { roomId, ...question } = completed(body);
    return whatIf(o, rooms.require(roomId), question);
  });
}

function whatIf(
  o: OperatorRoutesOptions,
  room: RoomEntry,
  { location, playerId }: Omit<WhatIfRequest, "roomId">,
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
