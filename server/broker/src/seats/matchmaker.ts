/** Answers stock Colyseus clients and the SDK: finds or makes a room, takes a seat in it, says where it is. */
import {
  CENTROID_OPTIONS_KEY,
  CentroidError,
  type JoinHints,
  joinHintsSchema,
  type MatchmakeMethod,
  PROTOCOL_VERSION,
  readWire,
  type SeatRequest,
  type SeatReservation,
} from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import { within } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { AddressBook } from "../hosts/address-book.js";
import { type HostRegistry, hostSummary, peerOf } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlayerEntry, PlayerRegistry } from "../probes/player-registry.js";
import type { ProbeIntake } from "../probes/probe-intake.js";
import { hasFreeSeat, type RoomEntry, type RoomRegistry, type RoomSession } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";
import type { Allowance, Visit } from "./allowance.js";
import { compare, meets } from "./criteria.js";
import type { Identified, PlayerIdentity } from "./player-identity.js";
import type { RoomFactory, TakenSeat } from "./room-factory.js";
import type { SeatExpiry } from "./seat-expiry.js";

/** As many as Colyseus' own match maker makes. */
const MAX_ATTEMPTS = 5;
/** A joiner waits so long for a room that is being moved. */
const MOVE_WAIT_MS = 20_000;
/** Open rooms of a kind that are compared by distance; the others are newer. */
const MAX_COMPARED = 16;

export interface MatchmakerOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  players: PlayerRegistry;
  probeIntake: ProbeIntake;
  engine: PlacementEngine;
  factory: RoomFactory;
  seats: SeatExpiry;
  migrator: Migrator;
  identity: PlayerIdentity;
  addresses: AddressBook;
  clock: Clock;
  newId: NewId;
  addressAllowance: Allowance;
  playerAllowance: Allowance;
  /** Hosts from before a restart are back, or were waited for long enough. */
  ready: Promise<void>;
}

interface Joiner {
  player: PlayerEntry;
  playerToken: string;
  party: PlayerEntry[];
  options: Record<string, unknown>;
  caller: Caller;
  visits: readonly Visit[];
}

/** Who asks for a seat, as a room's static onAuth gets to know it. */
export interface Caller {
  authToken: string | undefined;
  /** The request's headers and the address it came from; unknown if the seat was not asked for over HTTP. */
  request: SeatRequest["request"];
}

type Seat = RoomAddress & { sessionId: string };

/** Text is no options; Colyseus takes it all the same, one character each. */
const MAX_TEXT_OPTIONS = 1_000;

/**
 * Options as Colyseus takes them from any body: clients in Lua write an empty table as `[]`.
 * @throws CentroidError BAD_REQUEST
 */
function optionsOf(body: unknown): Record<string, unknown> {
  if (typeof body === "string" && body.length > MAX_TEXT_OPTIONS)
    throw new CentroidError("BAD_REQUEST", "options are text; send a JSON object");
  return Object.assign({}, body);
}

export class Matchmaker {
  readonly #options: MatchmakerOptions;

  constructor(options: MatchmakerOptions) {
    this.#options = options;
  }

  /**
   * @param target room name, or room id for `joinById` and `reconnect`
   * @param body the client's options, with the SDK's hints among them
   * @param caller for the room's static onAuth
   * @param address who asks, as {@link addressKey} has it
   * @throws CentroidError
   */
  async match(
    method: MatchmakeMethod,
    target: string,
    body: unknown,
    caller: Caller,
    address: string,
  ): Promise<SeatReservation> {
    await this.#options.ready;
    const { [CENTROID_OPTIONS_KEY]: rawHints, ...options } = optionsOf(body);
    if (method === "reconnect") return this.#reconnect(target, options.reconnectionToken);
    const hints = rawHints === undefined ? undefined : parseHints(rawHints);
    const { playerId, playerToken } = await this.#options.identity.identify(hints);
    using ofAddress = this.#options.addressAllowance.enter(address);
    using ofPlayer = this.#options.playerAllowance.enter(playerId);
    const visits = [ofAddress, ofPlayer];
    const player = this.#options.players.of(playerId);
    player.joining++;
    let party: PlayerEntry[] = [];
    try {
      party = this.#options.probeIntake.joins(player, hints);
      return await this.#join(method, target, { player, playerToken, party, options, caller, visits });
    } finally {
      for (const waiting of [player, ...party]) {
        waiting.joining--;
        this.#options.players.release(waiting);
      }
    }
  }

  async #join(
    method: Exclude<MatchmakeMethod, "reconnect">,
    target: string,
    joiner: Joiner,
  ): Promise<SeatReservation> {
    const full = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const seated = await this.#reserve(method, target, joiner, full);
      try {
        return await this.#seat(
          seated,
          joiner,
          method === "joinById" || method === "create" ? "id" : "search",
        );
      } catch (cause) {
        const error = CentroidError.from(cause);
        const elsewhere =
          error.code === "ROOM_FULL" ||
          error.code === "ROOM_LOCKED" ||
          error.code === "ROOM_NOT_FOUND" ||
          error.code === "HOST_LOST";
        if (!elsewhere || attempt >= MAX_ATTEMPTS || method === "joinById" || method === "create")
          throw error;
        full.add(seated.session.roomId);
      }
    }
  }

  /** A seat, as far as the broker can tell; the host has the last word. */
  #reserve(
    method: Exclude<MatchmakeMethod, "reconnect">,
    target: string,
    joiner: Joiner,
    full: ReadonlySet<string>,
  ): TakenSeat | Promise<TakenSeat> {
    const { rooms, factory } = this.#options;
    const { player, party, visits } = joiner;
    const take = (room: RoomEntry, made: boolean): RoomSession => {
      const session = this.#take(room, player);
      for (const visit of visits) visit.took(session, room, made);
      return session;
    };
    const taken = (room: RoomEntry): TakenSeat => ({ session: take(room, false), at: undefined });
    const find = (): TakenSeat | undefined => {
      const room = this.#bestOpen(target, joiner, full);
      return room && taken(room);
    };
    const create = async (): Promise<TakenSeat> => {
      for (const visit of visits) visit.mayMakeRoom();
      return factory.create(
        target,
        [player, ...party].map(({ playerId }) => playerId),
        (room) => take(room, true),
        seatRequest(joiner),
      );
    };
    switch (method) {
      case "create":
        return create();
      case "join": {
        const seated = find();
        if (seated === undefined)
          throw new CentroidError("ROOM_NOT_FOUND", "no rooms found with provided criteria");
        return seated;
      }
      case "joinOrCreate":
        return find() ?? factory.findOrCreate(target, find, create);
      case "joinById": {
        const room = rooms.get(target);
        if (room === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room "${target}" not found`);
        if (room.listing.locked) throw new CentroidError("ROOM_LOCKED", `room "${target}" is locked`);
        if (!hasFreeSeat(room) && room.stage.state !== "creating" && room.stage.state !== "restoring")
          throw new CentroidError("ROOM_FULL", `room "${target}" has no free seat`);
        return taken(room);
      }
      default: {
        const never: never = method;
        throw new CentroidError("BAD_REQUEST", `unknown method ${String(never)}`);
      }
    }
  }

  #take(room: RoomEntry, { playerId, network }: PlayerEntry): RoomSession {
    const { rooms, players, clock, newId } = this.#options;
    const session = rooms.reserve(room, { sessionId: newId(), playerId, network }, clock.now());
    players.seated(session);
    return session;
  }

  /**
   * Of the open rooms that the joiner's options ask for, the first by the order of their type. Where that leaves it
   * open, the nearest among the oldest; the fuller one of equals.
   */
  #bestOpen(
    name: string,
    { player: { playerId }, options }: Joiner,
    full: ReadonlySet<string>,
  ): RoomEntry | undefined {
    let best: { room: RoomEntry; rttMs: number } | undefined;
    let compared = 0;
    for (const room of this.#options.rooms.open(name)) {
      if (full.has(room.roomId) || !meets(room, options)) continue;
      const order = best === undefined ? -1 : compare(room, best.room);
      if (order > 0) continue;
      if (order < 0) compared = 0;
      // A type with an order of its own may have its first room anywhere.
      if (compared++ >= MAX_COMPARED) {
        if (room.listing.sortBy === undefined) break;
        continue;
      }
      const rttMs = this.#options.engine.latency(playerId, room.stage.hostId).p50Ms;
      const nearer = best === undefined || order < 0 || rttMs < best.rttMs;
      const fuller = rttMs === best?.rttMs && room.sessions.size > best.room.sessions.size;
      if (nearer || fuller) best = { room, rttMs };
    }
    return best?.room;
  }

  async #seat({ session, at }: TakenSeat, joiner: Joiner, via: "search" | "id"): Promise<SeatReservation> {
    const { rooms, seats, hosts } = this.#options;
    const { roomId, sessionId } = session;
    const room = rooms.require(roomId);
    try {
      const granted =
        at ??
        (await this.atOwner(room, (hostId) =>
          peerOf(hosts.require(hostId)).request({
            method: "reserveSeat",
            roomId,
            via,
            sessionId,
            ...seatRequest(joiner),
          }),
        ));
      if (room.sessions.get(sessionId) === session) seats.watch(session);
      const { player, playerToken } = joiner;
      const { playerId, network } = player;
      return this.#reservation(room, { ...granted, sessionId }, { playerId, playerToken }, network);
    } catch (cause) {
      rooms.left(room, sessionId);
      throw cause;
    }
  }

  async #reconnect(roomId: string, token: unknown): Promise<SeatReservation> {
    const room = this.#options.rooms.get(roomId);
    if (room === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room "${roomId}" has been disposed.`);
    if (typeof token !== "string" || token === "" || token.length > 200)
      throw new CentroidError("BAD_REQUEST", "'reconnectionToken' must be provided for reconnection.");
    const seat = await this.atOwner(room, (hostId) =>
      peerOf(this.#options.hosts.require(hostId)).request({
        method: "checkReconnection",
        roomId,
        reconnectionToken: token,
      }),
    );
    const session = room.sessions.get(seat.sessionId);
    // The reconnection token proves whose session it is.
    const player = await this.#options.identity.of(session?.playerId);
    const reservation = this.#reservation(room, seat, player, session?.network);
    return { ...reservation, reconnectionToken: token };
  }

  /** Asks whoever owns the room; if it is being moved, waits and asks the one who has it then. */
  async atOwner<T extends RoomAddress>(room: RoomEntry, ask: (hostId: string) => Promise<T>): Promise<T> {
    const { migrator, clock } = this.#options;
    const late = (): CentroidError =>
      new CentroidError("ROOM_MOVING", `room ${room.roomId} is still being moved; try again shortly`);
    for (let attempt = 1; ; attempt++) {
      const { hostId } = room.stage;
      if (room.stage.state === "restoring")
        throw new CentroidError(
          "HOST_LOST",
          `the host of room ${room.roomId} is not connected; try again shortly`,
        );
      if (room.stage.state === "disposed")
        throw new CentroidError("ROOM_NOT_FOUND", `room "${room.roomId}" has ended`);
      try {
        const seat = await ask(hostId);
        // The seat moved along while the answer was on its way.
        const { stage } = room;
        return stage.hostId !== hostId && stage.state === "running" ? { ...seat, ...stage.at } : seat;
      } catch (cause) {
        const error = CentroidError.from(cause);
        const moved = room.stage.hostId !== hostId || room.stage.state === "migrating";
        const moving = error.code === "ROOM_MOVING" || (error.code === "ROOM_NOT_FOUND" && moved);
        if (!moving || attempt >= MAX_ATTEMPTS) throw error;
        await within(clock, MOVE_WAIT_MS, migrator.whenSettled(room.roomId), late);
      }
    }
  }

  #reservation(
    room: RoomEntry,
    { sessionId, processId, address }: Seat,
    { playerId, playerToken }: Identified,
    network: string | undefined,
  ): SeatReservation {
    const { hosts, addresses } = this.#options;
    const host = hosts.require(room.stage.hostId);
    return {
      name: room.name,
      sessionId,
      roomId: room.roomId,
      processId,
      publicAddress: addresses.translate(address, host.facts.hostId, network),
      centroid: {
        protocol: PROTOCOL_VERSION,
        host: hostSummary(host),
        epoch: room.epoch,
        playerId,
        playerToken,
      },
    };
  }
}

function seatRequest({ player, options, caller }: Joiner): Omit<SeatRequest, "sessionId"> {
  const { playerId, network } = player;
  const { authToken, request } = caller;
  return {
    playerId,
    options,
    ...(network !== undefined && { network }),
    ...(authToken !== undefined && { authToken }),
    ...(request !== undefined && { request }),
  };
}

function parseHints(raw: unknown): JoinHints {
  const hints = readWire(joinHintsSchema, raw, "BAD_REQUEST", CENTROID_OPTIONS_KEY);
  if (hints.protocol !== PROTOCOL_VERSION) {
    throw new CentroidError(
      "PROTOCOL_VERSION",
      `this broker speaks protocol ${PROTOCOL_VERSION}, the client ${hints.protocol}; use the same version`,
    );
  }
  return hints;
}
