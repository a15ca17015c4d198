/**
 * By which gateway each session comes. Gateways tell one broker, which tells the others; either may be earlier than the
 * session's host is with the news that there is such a session.
 */
import { forgetOldest } from "@centroid/protocol";
import type { Cluster } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry, RoomSession } from "../rooms/room-registry.js";
import type { TrackedRooms } from "../rooms/tracked-rooms.js";

/** Sessions that are named and not known: who is just joining, and who is in rooms of other brokers. */
const MAX_EARLY = 10_000;

/** None: it goes to its room's host directly. */
export interface SessionWay {
  roomId: string;
  sessionId: string;
  gatewayId?: string | undefined;
}

export interface SessionWaysOptions {
  rooms: Pick<RoomRegistry, "get">;
  events: Emitter<RoomEvents>;
  tracked: Pick<TrackedRooms, "has">;
  cluster: Pick<Cluster, "publish">;
}

export class SessionWays {
  readonly #options: SessionWaysOptions;
  /** By session, oldest first; those of a gateway of this broker are told to the others once they are known. */
  readonly #early = new Map<string, { gatewayId: string | undefined; own: boolean }>();

  constructor(options: SessionWaysOptions) {
    this.#options = options;
    options.events.on("session.joined", ({ session }) => this.#joined(session));
  }

  /** This broker knows it from the gateway, or from the player. */
  comesBy({ roomId, sessionId, gatewayId }: SessionWay): void {
    const room = this.#options.rooms.get(roomId);
    const session = room?.sessions.get(sessionId);
    if (session === undefined) {
      const known = this.#early.get(keyOf(roomId, sessionId));
      // Of a room about which another broker decides no more will be heard here.
      const isOthers = room !== undefined && !this.#options.tracked.has(room);
      this.#keep(roomId, sessionId, { gatewayId, own: !isOthers });
      if (isOthers && known?.gatewayId !== gatewayId) this.#tell({ roomId, sessionId, gatewayId });
    } else if (session.gatewayId !== gatewayId) {
      session.gatewayId = gatewayId;
      this.#tell(session);
    }
  }

  /** Another broker knows it. */
  toldByBroker({ roomId, sessionId, gatewayId }: SessionWay): void {
    const session = this.#options.rooms.get(roomId)?.sessions.get(sessionId);
    if (session === undefined) this.#keep(roomId, sessionId, { gatewayId, own: false });
    else session.gatewayId = gatewayId;
  }

  #joined(session: RoomSession): void {
    const key = keyOf(session.roomId, session.sessionId);
    const early = this.#early.get(key);
    if (early === undefined) return;
    this.#early.delete(key);
    session.gatewayId = early.gatewayId;
    if (early.own) this.#tell(session);
  }

  #keep(roomId: string, sessionId: string, way: { gatewayId: string | undefined; own: boolean }): void {
    const key = keyOf(roomId, sessionId);
    this.#early.delete(key);
    this.#early.set(key, way);
    forgetOldest(this.#early, MAX_EARLY);
  }

  #tell({ roomId, sessionId, gatewayId }: SessionWay): void {
    this.#options.cluster.publish("session-way", {
      roomId,
      sessionId,
      ...(gatewayId !== undefined && { gatewayId }),
    });
  }
}

const keyOf = (roomId: string, sessionId: string): string => `${roomId} ${sessionId}`;
