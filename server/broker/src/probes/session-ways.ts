/**
 * By which gateway each session comes. A gateway, or the player, tells one broker, which tells the one that decides about the
 * room; either may be earlier than the session's host is with the news that there is such a session. When another broker
 * decides, it is told again. Sessions change their gateways, which may be other brokers': what was said last counts.
 */
import { forgetOldest, shardOf } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { BrokerLinks } from "../cluster/broker-links.js";
import { MAX_WAYS, type ToldWay } from "../cluster/broker-messages.js";
import type { Cluster, Member } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry } from "../rooms/room-registry.js";

/** Sessions of rooms about which another broker decides are never said to have ended. */
const MAX_KNOWN = 50_000;

/** No gateway: it goes to its room's host directly. */
export interface SessionWay {
  roomId: string;
  sessionId: string;
  gatewayId?: string | undefined;
}

interface KnownWay extends SessionWay {
  saidAtMs: number;
  /** This broker has it from the gateway, or from the player. */
  own: boolean;
}

export interface SessionWaysOptions {
  rooms: Pick<RoomRegistry, "get">;
  events: Emitter<RoomEvents>;
  cluster: Pick<Cluster, "owns" | "ownerOf">;
  brokerLinks: Pick<BrokerLinks, "tell">;
  clock: Clock;
}

export class SessionWays {
  readonly #options: SessionWaysOptions;
  /** By session, oldest first. */
  readonly #known = new Map<string, KnownWay>();

  constructor(options: SessionWaysOptions) {
    this.#options = options;
    options.events.on("session.joined", ({ session }) => {
      const known = this.#known.get(keyOf(session));
      if (known !== undefined) session.gatewayId = known.gatewayId;
    });
    options.events.on("session.left", ({ session }) => {
      // Of a room that is another broker's now it is still needed by whoever decides next.
      if (options.cluster.owns(session.roomId)) this.#known.delete(keyOf(session));
    });
  }

  /** This broker knows it from the gateway, or from the player. */
  comesBy({ roomId, sessionId, gatewayId }: SessionWay): void {
    const known = this.#known.get(keyOf({ roomId, sessionId }));
    const isNews = known === undefined || known.gatewayId !== gatewayId || !known.own;
    const way = { roomId, sessionId, gatewayId, saidAtMs: this.#options.clock.now(), own: true };
    this.#keep(way);
    if (isNews) this.#tell([way]);
  }

  /** Another broker knows it. */
  toldByBroker(ways: readonly ToldWay[]): void {
    const nowMs = this.#options.clock.now();
    for (const { agoMs, ...way } of ways) {
      const known = this.#known.get(keyOf(way));
      const saidAtMs = nowMs - agoMs;
      if (known === undefined || known.saidAtMs < saidAtMs) this.#keep({ ...way, saidAtMs, own: false });
    }
  }

  /** Other brokers decide about these shards from now on, and may know nothing of their sessions. */
  dealt(shards: readonly number[]): void {
    const theirs = new Set(shards);
    this.#tell([...this.#known.values()].filter(({ own, roomId }) => own && theirs.has(shardOf(roomId))));
  }

  #keep(way: KnownWay): void {
    const key = keyOf(way);
    this.#known.delete(key);
    this.#known.set(key, way);
    forgetOldest(this.#known, MAX_KNOWN);
    const session = this.#options.rooms.get(way.roomId)?.sessions.get(way.sessionId);
    if (session !== undefined) session.gatewayId = way.gatewayId;
  }

  #tell(known: readonly KnownWay[]): void {
    const { cluster, brokerLinks, clock } = this.#options;
    const nowMs = clock.now();
    const byOwner = new Map<Member, ToldWay[]>();
    for (const { roomId, sessionId, gatewayId, saidAtMs } of known) {
      const owner = cluster.owns(roomId) ? undefined : cluster.ownerOf(roomId);
      if (owner === undefined) continue;
      const ways = byOwner.get(owner) ?? [];
      byOwner.set(owner, ways);
      ways.push({
        roomId,
        sessionId,
        agoMs: nowMs - saidAtMs,
        ...(gatewayId !== undefined && { gatewayId }),
      });
    }
    for (const [owner, ways] of byOwner)
      for (let at = 0; at < ways.length; at += MAX_WAYS)
        brokerLinks.tell(owner, { type: "ways", ways: ways.slice(at, at + MAX_WAYS) });
  }
}

const keyOf = ({ roomId, sessionId }: Pick<SessionWay, "roomId" | "sessionId">): string =>
  `${roomId} ${sessionId}`;
