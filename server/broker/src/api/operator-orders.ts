/** What operators order: moves, kicks, locks, messages, draining and tokens of hosts. Every order is on record in the audit log. */
import { CentroidError, controlRoutes } from "@centroid/protocol";
import type { FastifyInstance } from "fastify";
import type { AgentServer } from "../hosts/agent-server.js";
import type { AgentTokens } from "../hosts/agent-tokens.js";
import type { HostOrders } from "../hosts/host-orders.js";
import { type HostRegistry, hostView, peerOf } from "../hosts/host-registry.js";
import type { MoveOrders } from "../moves/move-orders.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { TrackedRooms } from "../rooms/tracked-rooms.js";
import { serveRoute } from "./serve-route.js";

export interface OperatorOrdersOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  tracked: Pick<TrackedRooms, "has">;
  moveOrders: MoveOrders;
  hostOrders: HostOrders;
  agentTokens: AgentTokens;
  agents: Pick<AgentServer, "tokenOf">;
}

/** Adds the orders to a server whose hooks have found out who may give them. */
export function operatorOrders(app: FastifyInstance, o: OperatorOrdersOptions): void {
  const { hosts, rooms } = o;
  /** The room's host, to be asked. */
  const peer = (roomId: string) => peerOf(hosts.require(rooms.require(roomId).stage.hostId));

  serveRoute(app, controlRoutes.move, async ({ params, body }) => o.moveOrders.order(params.roomId, body));

  serveRoute(app, controlRoutes.kick, async ({ params: { roomId, sessionId } }) => {
    const room = rooms.require(roomId);
    // Of a room about which another broker decides only its host knows who is there.
    if (o.tracked.has(room) && !room.sessions.has(sessionId))
      throw new CentroidError("SESSION_NOT_FOUND", `no session "${sessionId}" in room ${roomId}`);
    return peer(roomId).request({ method: "kick", roomId, sessionId });
  });

  for (const action of ["lock", "unlock"] as const) {
    serveRoute(app, controlRoutes[action], async ({ params: { roomId } }) =>
      peer(roomId).request({ method: "setLocked", roomId, locked: action === "lock" }),
    );
  }

  serveRoute(app, controlRoutes.message, async ({ params: { roomId }, body }) =>
    peer(roomId).request({ method: "message", roomId, message: body }),
  );

  serveRoute(app, controlRoutes.drain, async ({ params: { hostId }, query: { withinMs } }) => {
    hosts.require(hostId);
    o.hostOrders.order(hostId, "drain", withinMs);
    return hostView(hosts.require(hostId));
  });

  serveRoute(app, controlRoutes.activate, async ({ params: { hostId } }) => {
    hosts.require(hostId);
    o.hostOrders.order(hostId, "activate");
    return hostView(hosts.require(hostId));
  });

  serveRoute(app, controlRoutes.issueAgentToken, async ({ params: { hostId } }) => ({
    hostId,
    token: await o.agentTokens.issue(hostId),
  }));

  serveRoute(app, controlRoutes.revokeAgentToken, async ({ params: { hostId } }) => {
    // A name that is misspelt would leave the real one's token as it is.
    if (!o.agentTokens.has(hostId)) hosts.require(hostId);
    await o.agentTokens.revoke(hostId);
    return { hostId };
  });

  serveRoute(app, controlRoutes.sharedAgentToken, async ({ body: { accepted } }) => {
    await o.agentTokens.acceptShared(accepted);
    const joined = [...hosts.values()].filter(({ peer }) => peer !== undefined);
    const hostIds = joined.map(({ facts: { hostId } }) => hostId);
    return {
      accepted,
      hostIds: hostIds.filter((hostId) => o.agentTokens.isShared(o.agents.tokenOf(hostId))),
    };
  });
}
