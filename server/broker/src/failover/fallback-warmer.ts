/**
 * Where rooms would go if their hosts were lost: the agent there is told to have a process ready, since starting one
 * takes a second that players would wait for.
 */
import type { CarrierKind, Decision } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { AgentPeer, HostEntry, HostRegistry } from "../hosts/host-registry.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import { roomFacts } from "../placement/room-facts.js";
import type { RoomRegistry } from "../rooms/room-registry.js";

/** Newcomers have measured by then; a process that starts meanwhile spoils what they see. */
const AFTER_MEASURING_MS = 1_500;
/** Rooms of a silent host that are looked at: they rarely would go to more than a few hosts. */
const MAX_LOOKED_AT = 32;
/** A host is nearly as good as another if its score is not worse than the other's by more than this. */
const NEARLY = 0.8;

export interface FallbackWarmerOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  engine: PlacementEngine;
  clock: Clock;
  carrier: CarrierKind;
  logger: Logger;
  events: Emitter<HostEvents & PlacementEvents>;
}

export class FallbackWarmer {
  readonly #options: FallbackWarmerOptions;
  /** By connection: an agent that started anew has nothing ready. */
  readonly #asked = new WeakSet<AgentPeer>();

  constructor(options: FallbackWarmerOptions) {
    this.#options = options;
    options.events.on("decision.made", ({ decision }) => this.#prepare(decision));
    options.events.on("host.suspected", ({ host }) => this.#suspected(host));
  }

  /** Makes the second-best host of a decision ready, once. */
  #prepare({ roomId, candidates, fromHostId, toHostId = fromHostId }: Decision): void {
    const hostId = best(candidates, toHostId);
    const peer = this.#cold(hostId);
    if (peer !== undefined) this.#options.clock.after(AFTER_MEASURING_MS, () => this.#warm(peer, roomId));
  }

  /**
   * The decision, but for a host with a process ready if one is nearly as good: the room can be moved on from there
   * while it is played.
   */
  preferReady(decision: Decision): Decision {
    const chosen = decision.candidates.find(({ hostId }) => hostId === decision.toHostId);
    if (chosen === undefined || this.#ready(chosen.hostId)) return decision;
    const good = decision.candidates.filter(
      ({ hostId, scoreMs, rejected }) =>
        takes(rejected) && scoreMs * NEARLY <= chosen.scoreMs && this.#ready(hostId),
    );
    const hostId = best(good, undefined);
    if (hostId === undefined) return decision;
    return {
      ...decision,
      toHostId: hostId,
      text: `${decision.text}; restored at ${hostId}, where a process is ready`,
    };
  }

  #ready(hostId: string): boolean {
    const host = this.#options.hosts.get(hostId);
    return host?.peer !== undefined && (host.roomIds.size > 0 || this.#asked.has(host.peer));
  }

  /** The host may be lost soon: where its rooms would go now, there is a head start to be had. */
  #suspected({ roomIds, facts }: HostEntry): void {
    const { rooms, engine, clock } = this.#options;
    let left = MAX_LOOKED_AT;
    for (const roomId of roomIds) {
      const room = rooms.get(roomId);
      if (room === undefined || room.standby !== undefined) continue;
      if (left-- === 0) return;
      const hostId = best(engine.place(roomFacts(room), clock.now()).candidates, facts.hostId);
      const peer = this.#cold(hostId);
      if (peer !== undefined) this.#warm(peer, roomId);
    }
  }

  /** Its connection, if it has not been asked yet. */
  #cold(hostId: string | undefined): AgentPeer | undefined {
    // A machine kept ready costs its memory; those start from a template when players look at their host.
    if (this.#options.carrier !== "process" || hostId === undefined) return undefined;
    const peer = this.#options.hosts.get(hostId)?.peer;
    return peer === undefined || this.#asked.has(peer) ? undefined : peer;
  }

  #warm(peer: AgentPeer, roomId: string): void {
    const { carrier, logger } = this.#options;
    if (this.#asked.has(peer)) return;
    this.#asked.add(peer);
    peer.request({ method: "warmUp", roomId, carrier }).catch((cause: unknown) => {
      this.#asked.delete(peer);
      logger.debug({ roomId, cause }, "a host did not get ready for rooms of others");
    });
  }
}

/** True for those that are only not the best. */
const takes = (rejected: Decision["candidates"][number]["rejected"]): boolean =>
  rejected === undefined || rejected === "score" || rejected === "cap";

/** The best host but one. */
function best(candidates: Decision["candidates"], but: string | undefined): string | undefined {
  let found: Decision["candidates"][number] | undefined;
  for (const candidate of candidates) {
    const { hostId, rejected, scoreMs } = candidate;
    if (hostId === but || !takes(rejected)) continue;
    if (found === undefined || scoreMs < found.scoreMs) found = candidate;
  }
  return found?.hostId;
}
