/** Answers stock Colyseus clients and the SDK: chooses a room, claims a seat in it, says where it is. */
import {
  CentroidError,
  type MatchmakeMethod,
  PROTOCOL_VERSION,
  type SeatReservation,
} from "@centroid/protocol";
import { addressKey } from "@centroid/protocol/node";
import type { AddressBook } from "../hosts/address-book.js";
import { hostSummary, peerOf } from "../hosts/host-registry.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlayerEntry } from "../probes/player-registry.js";
import type { ProbeIntake } from "../probes/probe-intake.js";
import { neighbourhoodOf } from "../probes/stand-ins.js";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";
import type { Allowance } from "./allowance.js";
import { askOwner } from "./ask-owner.js";
import { choose, type SeatMethod, type SeatPlan } from "./choose.js";
import { type Caller, type Joiner, readJoin } from "./join-request.js";
import type { Identified, PlayerIdentity } from "./player-identity.js";
import type { TakenSeat } from "./room-factory.js";
import { SeatClaim, type SeatClaimOptions } from "./seat-claim.js";

/** As many as Colyseus' own match maker makes. */
const MAX_ATTEMPTS = 5;
const MAX_TOKEN_CHARS = 200;

export interface MatchmakerOptions extends SeatClaimOptions {
  probeIntake: ProbeIntake;
  engine: PlacementEngine;
  identity: PlayerIdentity;
  addresses: AddressBook;
  addressAllowance: Allowance;
  playerAllowance: Allowance;
  /** Hosts from before a restart are back, or were waited for long enough. */
  ready: Promise<void>;
}

type Seat = RoomAddress & { sessionId: string };

export class Matchmaker {
  readonly #options: MatchmakerOptions;
  readonly #claim: SeatClaim;

  constructor(options: MatchmakerOptions) {
    this.#options = options;
    this.#claim = new SeatClaim(options);
  }

  /**
   * @param target room name, or room id for `joinById` and `reconnect`
   * @param body the client's options, with the SDK's hints among them
   * @param caller for the room's static onAuth
   * @param address whoever asks
   * @param gatewayId by which its sockets will come
   * @throws CentroidError
   */
  async match(
    method: MatchmakeMethod,
    target: string,
    body: unknown,
    caller: Caller,
    address: string,
    gatewayId: string | undefined,
  ): Promise<SeatReservation> {
    await this.#options.ready;
    if (method === "reconnect") return this.#reconnect(target, body);
    const { options, hints } = readJoin(body);
    const { playerId, playerToken } = await this.#options.identity.identify(hints);
    using ofAddress = this.#options.addressAllowance.enter(addressKey(address));
    using ofPlayer = this.#options.playerAllowance.enter(playerId);
    const visits = [ofAddress, ofPlayer];
    const player = this.#options.players.of(playerId);
    player.joining++;
    let party: PlayerEntry[] = [];
    try {
      party = this.#options.probeIntake.joins(player, hints);
      player.place = neighbourhoodOf(address, player.network);
      this.#options.players.standsIn(player);
      const judgedBy = this.#options.players.judgedBy(player, gatewayId);
      const canMeasure = hints?.canMeasure === true;
      const probes = hints?.probes ?? [];
      const joiner = { player, judgedBy, canMeasure, playerToken, party, options, caller, visits, probes };
      return await this.#join(method, target, joiner);
    } finally {
      for (const waiting of [player, ...party]) {
        waiting.joining--;
        this.#options.players.release(waiting);
      }
    }
  }

  async #join(method: SeatMethod, target: string, joiner: Joiner): Promise<SeatReservation> {
    const { rooms } = this.#options;
    const { playerToken, player } = joiner;
    const byId = method === "joinById" || method === "create";
    const refused = new Set<string>();
    for (let attempt = 1; ; attempt++) {
      const taken = await this.#take(method, target, joiner, refused);
      const { roomId, sessionId } = taken.session;
      try {
        const room = rooms.require(roomId);
        const granted = await this.#claim.grant(taken, joiner, byId ? "id" : "search");
        this.#options.probeIntake.tellOwner(player, roomId, joiner.probes);
        const { playerId, network } = player;
        return this.#reservation(room, { ...granted, sessionId }, { playerId, playerToken }, network);
      } catch (cause) {
        const error = CentroidError.from(cause);
        const elsewhere =
          error.code === "ROOM_FULL" ||
          error.code === "ROOM_LOCKED" ||
          error.code === "ROOM_NOT_FOUND" ||
          error.code === "HOST_LOST";
        if (!elsewhere || attempt >= MAX_ATTEMPTS || byId) throw error;
        refused.add(roomId);
      }
    }
  }

  /** Many who join at once make as many rooms as they need: each chooses again when its turn to make one comes. */
  #take(
    method: SeatMethod,
    target: string,
    joiner: Joiner,
    refused: ReadonlySet<string>,
  ): TakenSeat | Promise<TakenSeat> {
    const { rooms, engine, factory } = this.#options;
    const { player, judgedBy, canMeasure, options } = joiner;
    const rttMs = (hostId: string): number => engine.latency(judgedBy ?? player.playerId, hostId).p50Ms;
    const next = (): SeatPlan => {
      const plan = choose(rooms, { method, target, options, refused, rttMs });
      // A new room can follow its players later; who is put into a room far away stays there.
      if (plan.type === "existing" && plan.byDistance && judgedBy === undefined && canMeasure)
        throw new CentroidError("MEASURE_FIRST", "there are rooms in several places; measure which is near");
      return plan;
    };
    const plan = next();
    return plan.type === "new" && method === "joinOrCreate"
      ? factory.inTurn(target, () => this.#claim.take(next(), joiner))
      : this.#claim.take(plan, joiner);
  }

  async #reconnect(roomId: string, body: unknown): Promise<SeatReservation> {
    const { rooms, hosts, identity } = this.#options;
    const room = rooms.get(roomId);
    if (room === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room "${roomId}" has been disposed.`);
    const { reconnectionToken } = Object(body) as { reconnectionToken?: unknown };
    if (
      typeof reconnectionToken !== "string" ||
      reconnectionToken === "" ||
      reconnectionToken.length > MAX_TOKEN_CHARS
    )
      throw new CentroidError("BAD_REQUEST", "'reconnectionToken' must be provided for reconnection.");
    const seat = await askOwner(this.#options, room, (hostId) =>
      peerOf(hosts.require(hostId)).request({ method: "checkReconnection", roomId, reconnectionToken }),
    );
    // Where another broker decides about the room, only its host knows whose session that is.
    const session = room.sessions.get(seat.sessionId) ?? seat;
    // The reconnection token proves whose session it is.
    const player = await identity.of(session.playerId);
    const reservation = this.#reservation(room, seat, player, session.network);
    return { ...reservation, reconnectionToken };
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
