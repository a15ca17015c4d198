/** New rooms: placed for those who will join, created there; one at a time per kind where one may suffice. */
import { type CarrierKind, CentroidError, type Decision, type SeatRequest } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import {
  type AgentPeer,
  AUTHOR_TIMEOUT_MS,
  type HostEntry,
  type HostFacts,
  type HostRegistry,
  peerOf,
} from "../hosts/host-registry.js";
import { LATE_HOST_MS, type LateHosts } from "../hosts/late-hosts.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import { hasFreeSeat, type RoomEntry, type RoomRegistry, type RoomSession } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";

/** Hosts tried before a joiner hears that none would take the room. */
const MAX_ATTEMPTS = 3;
/** Nothing runs there, and another host may do better. */
const ELSEWHERE: ReadonlySet<string> = new Set(["HOST_LOST", "HOST_FULL", "HOST_NOT_FOUND", "STALE_EPOCH"]);
/** Between two orders of a room whose host lost its lease while it built it: the first, and as it grows. */
const RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;
/** An emulated machine that must boot first takes long. */
const BOOT_TIMEOUT_MS: Record<CarrierKind, number> = { process: 0, vm: 40_000, container: 0 };

/** An error is one line. */
const MAX_HOSTS_LISTED = 10;

/** Of ten brokers one draws an own id within so many attempts but for one case in 10^11. */
const MAX_ID_ATTEMPTS = 256;

export interface RoomFactoryOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  engine: PlacementEngine;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  carrier: CarrierKind;
  events: Emitter<PlacementEvents>;
  records: OwnerRecords;
  lateHosts: Pick<LateHosts, "first" | "back" | "changed">;
  /** True if this broker decides about rooms of that id. */
  owns: (roomId: string) => boolean;
}

/** A seat taken, and if its host has granted it already, where. */
export interface TakenSeat {
  session: RoomSession;
  at: RoomAddress | undefined;
}

/** Who has a room made and sits down in it. */
interface Creator {
  take: (room: RoomEntry) => RoomSession;
  seat: Omit<SeatRequest, "sessionId">;
}

/** What a host is asked to make. */
interface RoomOrder {
  roomId: string;
  name: string;
  epoch: number;
  options: unknown;
}

/** A host that did not make it, and why. */
interface Failure {
  hostId: string;
  ordered: RoomOrder;
  /** By which it was asked. */
  peer: AgentPeer | undefined;
  error: CentroidError;
}

export class RoomFactory {
  readonly #options: RoomFactoryOptions;
  readonly #queues = new Map<string, Promise<unknown>>();

  constructor(options: RoomFactoryOptions) {
    this.#options = options;
  }

  /** One after the other for each name: what a step has taken or made, the next one sees. */
  async inTurn<T>(name: string, step: () => T | Promise<T>): Promise<T> {
    const before = this.#queues.get(name) ?? Promise.resolve();
    const turn = before.then(step, step);
    this.#queues.set(name, turn);
    try {
      return await turn;
    } finally {
      if (this.#queues.get(name) === turn) this.#queues.delete(name);
    }
  }

  /**
   * @param take takes the creator's seat, before anybody else can find the room
   * @param seat what its host needs to know of the creator
   * @throws CentroidError ROOM_TYPE_UNKNOWN | NO_HOST, or what the host says
   */
  async create(
    name: string,
    playerIds: readonly string[],
    take: (room: RoomEntry) => RoomSession,
    seat: Omit<SeatRequest, "sessionId">,
  ): Promise<TakenSeat> {
    const [, seated] = await this.#create(name, playerIds, seat.options, { take, seat });
    if (seated === undefined) throw new CentroidError("INTERNAL", `the creator of a "${name}" has no seat`);
    return seated;
  }

  async #create(
    name: string,
    playerIds: readonly string[],
    options: unknown,
    creator: Creator | undefined,
  ): Promise<[RoomEntry, TakenSeat | undefined]> {
    const { engine, clock, carrier, events, lateHosts } = this.#options;
    const untilMs = clock.now() + LATE_HOST_MS;
    await lateHosts.first(untilMs);
    this.#assertType(name);
    const suits = ({ facts }: HostEntry): boolean => facts.carriers.includes(carrier) && offers(facts, name);
    const failures: Failure[] = [];
    for (let pauseMs = RETRY_MS; ; pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)) {
      const roomId = this.#ownId();
      const work = this.#options.rooms.demandOf(name);
      const decision = engine.place({ roomId, name, carrier, playerIds, work }, clock.now());
      events.emit("decision.made", { decision });
      const made = await this.#createAtBest(decision, { roomId, name, options }, creator, failures);
      if (made !== undefined) return made;
      // One whose lease lapsed for a moment while it built the room may well build another.
      const isStale = ({ error }: Failure): boolean => error.code === "STALE_EPOCH";
      const failed = new Set(failures.filter((failure) => !isStale(failure)).map(({ peer }) => peer));
      if (failures.some(isStale)) await lateHosts.changed(pauseMs);
      if (!(await lateHosts.back(suits, failed, untilMs))) throw noHost(decision, failures);
      // A host that was late may have made it all the same, with a seat that nobody knows of.
      for (const { hostId, ordered } of failures) this.#callOff(hostId, ordered);
    }
  }

  /** @returns undefined if no host could, with what each of them said among the failures */
  async #createAtBest(
    { candidates }: Decision,
    order: Omit<RoomOrder, "epoch">,
    creator: Creator | undefined,
    failures: Failure[],
  ): Promise<[RoomEntry, TakenSeat | undefined] | undefined> {
    const { hosts, logger } = this.#options;
    // A host that answers too late may have made it all the same: the next one's room is the newer.
    let epoch = 0;
    const hostIds = candidates
      .filter(isUsable)
      .slice(0, MAX_ATTEMPTS)
      .map(({ hostId }) => hostId);
    for (const hostId of hostIds) {
      const ordered = { ...order, epoch: ++epoch };
      const peer = hosts.get(hostId)?.peer;
      try {
        return await this.#createAt(hostId, ordered, creator);
      } catch (cause) {
        const error = CentroidError.from(cause);
        if (!ELSEWHERE.has(error.code)) throw error;
        failures.push({ hostId, ordered, peer, error });
        logger.warn(
          { hostId, roomId: order.roomId, code: error.code },
          `room not created here: ${error.message}`,
        );
      }
    }
    return undefined;
  }

  #callOff(hostId: string, { roomId, epoch }: Pick<RoomOrder, "roomId" | "epoch">): void {
    const { peer } = this.#options.hosts.get(hostId) ?? {};
    peer?.request({ method: "disposeRoom", roomId, epoch }).catch(() => undefined);
  }

  /**
   * A room that another room asks for: nobody has a seat in it yet.
   * @throws CentroidError as {@link create}
   */
  async createEmpty(name: string, options: unknown): Promise<RoomEntry> {
    const [room] = await this.#create(name, [], options, undefined);
    return room;
  }

  /** An id of a room that this broker will decide about, so that no other has to be told. */
  #ownId(): string {
    const { newId, owns } = this.#options;
    for (let attempt = 0; attempt < MAX_ID_ATTEMPTS; attempt++) {
      const roomId = newId();
      if (owns(roomId)) return roomId;
    }
    return newId();
  }

  async #createAt(
    hostId: string,
    { roomId, name, epoch, options }: RoomOrder,
    creator: Creator | undefined,
  ): Promise<[RoomEntry, TakenSeat | undefined]> {
    const { hosts, rooms, clock, carrier, records, logger } = this.#options;
    const host = hosts.require(hostId);
    // While another host was asked, its last slot may have been promised to another room.
    if (host.roomIds.size >= host.facts.capacityRooms)
      throw new CentroidError("HOST_FULL", `host ${hostId} has no slot left`);
    const peer = peerOf(host);
    const room = rooms.add({
      roomId,
      name,
      carrier,
      createdAtMs: clock.now(),
      epoch,
      stage: { state: "creating", hostId },
    });
    const session = creator?.take(room);
    const seat = creator && session && { ...creator.seat, sessionId: session.sessionId };
    let at: RoomAddress;
    try {
      const made = await peer.request(
        { method: "createRoom", roomId, name, options, carrier, epoch, ...(seat && { seat }) },
        AUTHOR_TIMEOUT_MS + BOOT_TIMEOUT_MS[carrier],
      );
      if (made.roomId !== undefined && made.roomId !== roomId) {
        rooms.apply(room, { type: "dispose" });
        const own = this.#ownIdRoom(made.roomId);
        return [own, creator && { session: creator.take(own), at: undefined }];
      }
      if (rooms.get(roomId) !== room)
        throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} ended as soon as it had begun; ask again`);
      at = { processId: made.processId, address: made.address };
      rooms.listing(room, made);
      rooms.apply(room, { type: "created", at });
    } catch (cause) {
      if (rooms.get(roomId) === room) rooms.apply(room, { type: "dispose" });
      // It may exist there nevertheless, if only the answer was lost.
      this.#callOff(hostId, { roomId, epoch });
      throw cause;
    }
    records
      .put(room)
      .catch((cause: unknown) => logger.error({ roomId, cause }, "new room could not be stored"));
    return [room, session && { session, at }];
  }

  /**
   * The room that chose this id. Its host has said already that it runs there; if another has had the id for longer,
   * that one is it, as on one server.
   */
  #ownIdRoom(roomId: string): RoomEntry {
    const room = this.#options.rooms.require(roomId);
    if (!hasFreeSeat(room)) throw new CentroidError("ROOM_FULL", `room "${roomId}" has no free seat`);
    return room;
  }

  #assertType(name: string): void {
    for (const { facts } of this.#options.hosts.values()) if (offers(facts, name)) return;
    if (this.#options.hosts.size === 0)
      throw new CentroidError("NO_HOST", "no host is connected; start an agent and try again");
    throw new CentroidError("ROOM_TYPE_UNKNOWN", `provided room name "${name}" not defined`);
  }
}

const isUsable = ({ rejected }: Decision["candidates"][number]): boolean =>
  rejected === undefined || rejected === "score" || rejected === "cap";

/** A host that names no types is taken at its word later. */
const offers = ({ roomTypes }: HostFacts, name: string): boolean =>
  roomTypes.length === 0 || roomTypes.includes(name);

/** With what each host said, or why it was not asked. */
function noHost({ candidates }: Decision, failures: readonly Failure[]): CentroidError {
  const reasons = new Map<string, string>();
  for (const { hostId, rejected } of candidates) if (rejected !== undefined) reasons.set(hostId, rejected);
  for (const { hostId, error } of failures)
    reasons.set(hostId, error.code === "STALE_EPOCH" ? "lost its lease while it built the room" : error.code);
  const listed = [...reasons].slice(0, MAX_HOSTS_LISTED).map(([hostId, why]) => `${hostId}: ${why}`);
  return new CentroidError(
    "NO_HOST",
    `no host can take a new room now (${listed.join(", ")}); add a host or try again shortly`,
    { cause: failures.at(-1)?.error },
  );
}
