/** What operators order: moves, kicks, locks, messages, draining of hosts. Every order is on record in the audit log. */
import {
  CentroidError,
  hostSchema,
  idSchema,
  moveRequestSchema,
  operatorMessageSchema,
  receiptSchema,
  wireErrorSchema,
} from "@centroid/protocol";
import type { FastifyInstance } from "fastify";
import type { ZodTypeProvider } from "fastify-type-provider-zod";
import { z } from "zod";
import type { HostOrders } from "../hosts/host-orders.js";
import { type HostRegistry, hostView, peerOf } from "../hosts/host-registry.js";
import type { MoveOrders } from "../moves/move-orders.js";
import type { RoomRegistry } from "../rooms/room-registry.js";

/** What a room host takes from a player in one frame. */
const MAX_MESSAGE_BODY_BYTES = 64 * 1024;

export interface OperatorOrdersOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  moveOrders: MoveOrders;
  hostOrders: HostOrders;
}

const errorSchema = z.object({ error: wireErrorSchema });
/** What every route of the control API may answer instead. */
export const failureResponses = {
  400: errorSchema,
  401: errorSchema,
  403: errorSchema,
  404: errorSchema,
  409: errorSchema,
  500: errorSchema,
  503: errorSchema,
};
export const roomParamsSchema = z.object({ roomId: idSchema });
const hostParams = z.object({ hostId: idSchema });
const sessionParams = roomParamsSchema.extend({ sessionId: z.string().min(1).max(64) });

/** Adds the orders to a server whose hooks have found out who may give them. */
export function operatorOrders(instance: FastifyInstance, o: OperatorOrdersOptions): void {
  const app = instance.withTypeProvider<ZodTypeProvider>();
  const { hosts, rooms } = o;
  /** The room's host, to be asked. */
  const peer = (roomId: string) => peerOf(hosts.require(rooms.require(roomId).stage.hostId));

  app.post(
    "/rooms/:roomId/move",
    {
      config: { audit: "move" },
      schema: {
        summary: "Move a room; answers with the receipt when it is there",
        params: roomParamsSchema,
        body: moveRequestSchema,
        response: { 200: receiptSchema, ...failureResponses },
      },
    },
    async ({ params, body }) => o.moveOrders.order(params.roomId, body),
  );

  app.post(
    "/rooms/:roomId/sessions/:sessionId/kick",
    {
      config: { audit: "kick" },
      schema: {
        summary: "Remove a player",
        params: sessionParams,
        response: { 200: z.object({}), ...failureResponses },
      },
    },
    async ({ params: { roomId, sessionId } }) => {
      const room = rooms.require(roomId);
      if (!room.sessions.has(sessionId))
        throw new CentroidError("SESSION_NOT_FOUND", `no session "${sessionId}" in room ${roomId}`);
      return peer(roomId).request({ method: "kick", roomId, sessionId });
    },
  );

  for (const action of ["lock", "unlock"] as const) {
    app.post(
      `/rooms/:roomId/${action}`,
      {
        config: { audit: action },
        schema: {
          summary: action === "lock" ? "Nobody new can join; those inside stay" : "Players can join again",
          params: roomParamsSchema,
          response: { 200: z.object({ locked: z.boolean() }), ...failureResponses },
        },
      },
      async ({ params: { roomId } }) =>
        peer(roomId).request({ method: "setLocked", roomId, locked: action === "lock" }),
    );
  }

  app.post(
    "/rooms/:roomId/message",
    {
      config: { audit: "message" },
      bodyLimit: MAX_MESSAGE_BODY_BYTES,
      schema: {
        summary: "Send a test message: to everyone, to one player, or to the room as if a player had sent it",
        params: roomParamsSchema,
        body: operatorMessageSchema,
        response: { 200: z.object({ receivers: z.number().int() }), ...failureResponses },
      },
    },
    async ({ params: { roomId }, body }) =>
      peer(roomId).request({ method: "message", roomId, message: body }),
  );

  for (const to of ["drain", "activate"] as const) {
    app.post(
      `/hosts/:hostId/${to}`,
      {
        config: { audit: to },
        schema: {
          summary: to === "drain" ? "Take no new rooms and move those there away" : "Take rooms again",
          params: hostParams,
          response: { 200: hostSchema, ...failureResponses },
        },
      },
      async ({ params: { hostId } }) => {
        hosts.require(hostId);
        o.hostOrders.order(hostId, to);
        return hostView(hosts.require(hostId));
      },
    );
  }
}
