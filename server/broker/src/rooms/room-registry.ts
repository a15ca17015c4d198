/**
 * Rooms and the seats in them. Every lookup is by an index; nothing here grows with the number of rooms.
 * Whoever changes a room does it through this class, which keeps the indexes and tells what changed.
 */
import { PlayerWeights, type RoomDemand } from "@centroid/placement";
import {
  type CarrierKind,
  CentroidError,
  type RoomListing,
  type RoomTraffic,
  type RoomWorkload,
  roomListingSchema,
  roomWorkloadSchema,
  type Seated,
} from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import { type HostEntry, type HostRegistry, leaves } from "../hosts/host-registry.js";
import type { StandbyRecord } from "../store/store.js";
import { isNotable, learnDemand } from "./room-demand.js";
import type { RoomEvents } from "./room-events.js";
import { nextStage, type RoomAddress, type RoomStage, type RoomTransition } from "./room-stage.js";
import { trafficByPlayer } from "./room-traffic.js";

/** An error is one line. */
const MAX_MATCHES_LISTED = 10;

/** A move's destination and a standby, and what they were just before: players may be late. */
const MAX_OFFERED = 4;

type SessionStage = { state: "reserved"; sinceMs: number } | { state: "connected" };

export interface RoomSession {
  readonly sessionId: string;
  readonly roomId: string;
  readonly playerId: string | undefined;
  network: string | undefined;
  /** By which gateway its player comes, if it is known to come by one. */
  gatewayId?: string | undefined;
  stage: SessionStage;
}

export interface RoomEntry {
  readonly roomId: string;
  readonly name: string;
  readonly carrier: CarrierKind;
  readonly createdAtMs: number;
  stage: RoomStage;
  epoch: number;
  /** Highest epoch that a host may have taken without the broker's consent; never used for an owner. */
  fencedEpoch: number;
  /** Host that was asked to build it again, at that epoch: it may have done so, and is on record as the owner. */
  asked: { hostId: string; epoch: number } | undefined;
  listing: RoomListing;
  /** Its heavy work as placement counts it, on a core of the reference machine. */
  demand: RoomDemand | undefined;
  /** How much its players do just now, 0 to 1; undefined before its host has said so. */
  activity: number | undefined;
  /** How much each of its players counts, by what they say and see. */
  readonly weights: PlayerWeights;
  migrations: number;
  /** Who are connected. */
  players: number;
  /** So many of them are known to this broker by their number only: another one decides about the room. */
  counted: number;
  readonly sessions: Map<string, RoomSession>;
  /** Host that owned it before the last switch: its last words may come late. */
  previousHostId: string | undefined;
  /** A move that its host has yet to hear is off. */
  calledOff: string | undefined;
  /** Gets the room if its host is lost; as it is on record. */
  standby: StandbyRecord | undefined;
  /** Where other hosts have made a place for it, newest last: its players connect there before it is there. */
  offered: readonly OfferedPlace[];
}

/** Where players reach a place that a host has made for a room. */
export interface OfferedPlace extends RoomAddress {
  hostId: string;
}

/** An owner to come is above all that this broker knows a host to have, or to have had. */
export const highestEpoch = ({ epoch, fencedEpoch }: RoomEntry): number => Math.max(epoch, fencedEpoch);

export class RoomRegistry {
  readonly #hosts: HostRegistry;
  readonly #events: Emitter<RoomEvents>;
  readonly #rooms = new Map<string, RoomEntry>();
  readonly #openByName = new Map<string, Set<RoomEntry>>();
  /** By type: what its rooms compute, as the last of them that was measured. */
  readonly #demandByName = new Map<string, RoomDemand>();
  #players = 0;

  constructor(hosts: HostRegistry, events: Emitter<RoomEvents>) {
    this.#hosts = hosts;
    this.#events = events;
  }

  get size(): number {
    return this.#rooms.size;
  }

  get players(): number {
    return this.#players;
  }

  get(roomId: string): RoomEntry | undefined {
    return this.#rooms.get(roomId);
  }

  /** @throws CentroidError ROOM_NOT_FOUND */
  require(roomId: string): RoomEntry {
    const room = this.#rooms.get(roomId);
    if (room === undefined)
      throw new CentroidError("ROOM_NOT_FOUND", `no room "${roomId}"; it may have ended`);
    return room;
  }

  /**
   * The room with this id, or the only one whose id begins so. Looks at every room, so it is for operators only.
   * @throws CentroidError ROOM_AMBIGUOUS that lists the rooms it could be
   */
  find(idOrPrefix: string): RoomEntry | undefined {
    const exact = this.#rooms.get(idOrPrefix);
    if (exact !== undefined) return exact;
    const matches = [...this.#rooms.values()].filter(({ roomId }) => roomId.startsWith(idOrPrefix));
    if (matches.length <= 1) return matches[0];
    const listed = matches.slice(0, MAX_MATCHES_LISTED).map(({ roomId }) => roomId);
    const more = matches.length - listed.length;
    throw new CentroidError(
      "ROOM_AMBIGUOUS",
      `${matches.length} room ids begin with "${idOrPrefix}": ${listed.join(", ")}${more > 0 ? ` and ${more} more` : ""}; type more of the id`,
    );
  }

  values(): IterableIterator<RoomEntry> {
    return this.#rooms.values();
  }

  /** Rooms of a type that have a free seat and are not private, oldest first. */
  open(name: string): Iterable<RoomEntry> {
    return this.#openByName.get(name) ?? [];
  }

  /** What a new room of this type will compute: as the last one did, else as a host's code declares it. */
  demandOf(name: string): RoomDemand | undefined {
    const learned = this.#demandByName.get(name);
    if (learned !== undefined) return learned;
    for (const { facts } of this.#hosts.values()) {
      const declared = facts.roomWork?.[name];
      if (declared !== undefined) return declared;
    }
    return undefined;
  }

  add(fresh: Pick<RoomEntry, "roomId" | "name" | "carrier" | "createdAtMs" | "stage" | "epoch">): RoomEntry {
    if (this.#rooms.has(fresh.roomId))
      throw new CentroidError("INTERNAL", `room ${fresh.roomId} is registered already`);
    const room: RoomEntry = {
      ...fresh,
      fencedEpoch: 0,
      asked: undefined,
      listing: { locked: false },
      demand: this.demandOf(fresh.name),
      activity: undefined,
      weights: new PlayerWeights(),
      migrations: 0,
      players: 0,
      counted: 0,
      sessions: new Map(),
      previousHostId: undefined,
      calledOff: undefined,
      standby: undefined,
      offered: [],
    };
    this.#rooms.set(room.roomId, room);
    this.#hosts.get(room.stage.hostId)?.roomIds.add(room.roomId);
    this.#updated(room);
    return room;
  }

  /** @throws CentroidError INTERNAL on an illegal transition; then nothing has changed */
  apply(room: RoomEntry, event: RoomTransition): void {
    const before = room.stage;
    const stage = nextStage(before, event);
    room.stage = stage;
    if (stage.state === "migrating") this.#hosts.get(stage.toHostId)?.roomIds.add(room.roomId);
    if (before.state === "migrating" && stage.state !== "migrating") {
      for (const hostId of [before.hostId, before.toHostId]) {
        if (hostId !== stage.hostId) this.#hosts.get(hostId)?.roomIds.delete(room.roomId);
      }
    }
    if (event.type === "rolled-back" && before.state === "migrating")
      room.offered = room.offered.filter(({ hostId }) => hostId !== before.toHostId);
    if (event.type === "committed" && before.state === "migrating") {
      room.offered = [];
      room.epoch = before.toEpoch;
      room.migrations++;
      room.standby = undefined;
      room.previousHostId = before.hostId;
      this.#countPlayers(before.hostId, -room.players);
      this.#countPlayers(stage.hostId, room.players);
    }
    if (stage.state === "running") room.asked = undefined;
    if (event.type === "restored" || event.type === "relocated") {
      room.offered = [];
      room.epoch = event.epoch;
      room.standby = undefined;
      if (event.type === "relocated") room.migrations++;
      room.previousHostId = event.type === "relocated" ? before.hostId : undefined;
      const former = this.#hosts.get(before.hostId);
      former?.roomIds.delete(room.roomId);
      if (former !== undefined && before.hostId !== stage.hostId) leaves(former, room.roomId, event.epoch);
      this.#hosts.get(stage.hostId)?.roomIds.add(room.roomId);
      this.#countPlayers(before.hostId, -room.players);
      this.#countPlayers(stage.hostId, room.players);
    }
    if (stage.state === "disposed") this.#remove(room);
    else this.#updated(room);
  }

  /** Rooms that were known before their host was: from now on they are lost with it. */
  joinedBy(host: HostEntry): void {
    const { hostId } = host.facts;
    host.players = 0;
    for (const { roomId, stage, players } of this.#rooms.values()) {
      const comes = stage.state === "migrating" && stage.toHostId === hostId;
      if (stage.hostId === hostId || comes) host.roomIds.add(roomId);
      if (stage.hostId === hostId) host.players += players;
    }
  }

  /** Something that is shown of the room has changed. */
  touched(room: RoomEntry): void {
    if (this.#rooms.get(room.roomId) === room) this.#updated(room);
  }

  /** A host has made a place for this room, as this broker asked it to. */
  offer(room: RoomEntry, { hostId, processId, address }: OfferedPlace): void {
    const place = { hostId, processId, address };
    this.offeredElsewhere(room, place);
    this.#events.emit("room.offered", { room, place });
  }

  /** The same, as another broker asked it to. */
  offeredElsewhere(room: RoomEntry, place: OfferedPlace): void {
    const others = room.offered.filter(({ processId }) => processId !== place.processId);
    room.offered = [...others, place].slice(-MAX_OFFERED);
  }

  /** Its host says how matchmaking is to see it; `told` may have more in it than that. */
  listing(room: RoomEntry, told: RoomListing): void {
    room.listing = roomListingSchema.parse(told);
    this.#updated(room);
  }

  /** Its host says what its heavy work costs; `told` may have more in it than that. */
  worked(room: RoomEntry, told: RoomWorkload): void {
    const work = roomWorkloadSchema.parse(told);
    const before = room.demand;
    room.demand = learnDemand(before, work, this.#hosts.get(room.stage.hostId));
    if (work.declared !== true && work.perSecond > 0) this.#demandByName.set(room.name, room.demand);
    if (isNotable(before, room.demand)) this.#events.emit("room.work-changed", { room });
  }

  /** Its host says how much its players do, and perhaps who of them says and sees how much. */
  acted(room: RoomEntry, activity: number, traffic?: RoomTraffic): void {
    const isReweighted = traffic !== undefined && room.weights.report(trafficByPlayer(room, traffic));
    if (room.activity === activity && !isReweighted) return;
    room.activity = activity;
    this.#events.emit("room.activity-changed", { room });
  }

  /** A seat is taken before the host is asked, so that two joiners never count on the same one. */
  reserve(room: RoomEntry, seat: Omit<RoomSession, "roomId" | "stage">, atMs: number): RoomSession {
    const session: RoomSession = {
      ...seat,
      roomId: room.roomId,
      stage: { state: "reserved", sinceMs: atMs },
    };
    room.sessions.set(session.sessionId, session);
    this.#index(room);
    return session;
  }

  /** The player is connected. Unknown sessions are added: their host knows better. */
  joined(room: RoomEntry, { sessionId, playerId, network }: Seated): void {
    const known = room.sessions.get(sessionId);
    if (known?.stage.state === "connected") return;
    const session: RoomSession = known ?? {
      sessionId,
      roomId: room.roomId,
      playerId,
      network: undefined,
      stage: { state: "connected" },
    };
    session.network ??= network;
    session.stage = { state: "connected" };
    room.sessions.set(sessionId, session);
    this.#count(room, 1);
    this.#events.emit("session.joined", { room, session });
    this.#updated(room);
  }

  left(room: RoomEntry, sessionId: string): void {
    if (this.#unseat(room, sessionId)) this.#updated(room);
  }

  /** Takes over who is in the room as its host says it. */
  reconcile(room: RoomEntry, seated: readonly Seated[]): void {
    this.#count(room, -room.counted);
    room.counted = 0;
    const there = new Set(seated.map(({ sessionId }) => sessionId));
    for (const session of [...room.sessions.values()]) {
      if (session.stage.state === "connected" && !there.has(session.sessionId))
        this.left(room, session.sessionId);
    }
    for (const one of seated) {
      this.joined(room, one);
      const session = room.sessions.get(one.sessionId);
      if (session !== undefined) session.network ??= one.network;
    }
  }

  /**
   * Takes over how many are in the room; who they are is no concern of this broker.
   * @param came those of whom it may know that they have a seat
   */
  count(room: RoomEntry, players: number, came: Iterable<string>): void {
    for (const sessionId of came) this.#unseat(room, sessionId);
    if (room.players > room.counted)
      for (const { sessionId, stage } of [...room.sessions.values()])
        if (stage.state === "connected") this.#unseat(room, sessionId);
    this.#count(room, players - room.counted);
    room.counted = players;
    this.#updated(room);
  }

  #unseat(room: RoomEntry, sessionId: string): boolean {
    const session = room.sessions.get(sessionId);
    if (session === undefined) return false;
    room.sessions.delete(sessionId);
    if (session.stage.state === "connected") this.#count(room, -1);
    this.#events.emit("session.left", { room, session });
    return true;
  }

  #count(room: RoomEntry, by: number): void {
    room.players += by;
    this.#players += by;
    this.#countPlayers(room.stage.hostId, by);
  }

  #countPlayers(hostId: string, by: number): void {
    const host = this.#hosts.get(hostId);
    if (host !== undefined) host.players = Math.max(0, host.players + by);
  }

  #remove(room: RoomEntry): void {
    const { hostId } = room.stage;
    for (const sessionId of [...room.sessions.keys()]) this.#unseat(room, sessionId);
    this.#count(room, -room.counted);
    this.#hosts.get(hostId)?.roomIds.delete(room.roomId);
    this.#rooms.delete(room.roomId);
    this.#index(room);
    this.#events.emit("room.removed", { room });
  }

  #updated(room: RoomEntry): void {
    this.#index(room);
    this.#events.emit("room.changed", { room });
  }

  #index(room: RoomEntry): void {
    let open = this.#openByName.get(room.name);
    if (hasFreeSeat(room) && room.listing.private !== true && this.#rooms.has(room.roomId)) {
      if (open === undefined) {
        open = new Set();
        this.#openByName.set(room.name, open);
      }
      open.add(room);
    } else if (open?.delete(room) === true && open.size === 0) this.#openByName.delete(room.name);
  }
}

/** True if somebody who knows the room's id may get in. */
export function hasFreeSeat(room: RoomEntry): boolean {
  const { state } = room.stage;
  if (state !== "running" && state !== "migrating") return false;
  return !room.listing.locked && !isFull(room);
}

export const isFull = (room: RoomEntry): boolean =>
  room.listing.maxPlayers !== undefined && seatsTaken(room) >= room.listing.maxPlayers;

/** Seats with somebody in them, or kept for somebody. */
export const seatsTaken = ({ sessions, counted }: Pick<RoomEntry, "sessions" | "counted">): number =>
  sessions.size + counted;
