/** Carries out a plan for a joiner: takes the seat here, then has the room's host grant it. */
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import { type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import type { PlayerRegistry } from "../probes/player-registry.js";
import type { RoomEntry, RoomRegistry, RoomSession } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";
import { askOwner } from "./ask-owner.js";
import type { SeatPlan } from "./choose.js";
import { type Joiner, seatRequest } from "./join-request.js";
import type { RoomFactory, TakenSeat } from "./room-factory.js";
import type { SeatExpiry } from "./seat-expiry.js";

export interface SeatClaimOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  players: PlayerRegistry;
  factory: RoomFactory;
  seats: SeatExpiry;
  migrator: Migrator;
  clock: Clock;
  newId: NewId;
}

export class SeatClaim {
  readonly #options: SeatClaimOptions;

  constructor(options: SeatClaimOptions) {
    this.#options = options;
  }

  /**
   * Takes the seat as far as this broker can tell, so that nobody else gets it; the host has the last word.
   * A new room is made by then.
   * @throws CentroidError
   */
  take(plan: SeatPlan, joiner: Joiner): TakenSeat | Promise<TakenSeat> {
    if (plan.type === "existing") return { session: this.#reserve(plan.room, joiner, false), at: undefined };
    for (const visit of joiner.visits) visit.mayMakeRoom();
    return this.#options.factory.create(
      plan.name,
      [joiner.judgedBy ?? joiner.player.playerId, ...joiner.party.map(({ playerId }) => playerId)],
      (room) => this.#reserve(room, joiner, true),
      seatRequest(joiner),
    );
  }

  #reserve(room: RoomEntry, { player, visits }: Joiner, made: boolean): RoomSession {
    const { rooms, players, clock, newId } = this.#options;
    const { playerId, network } = player;
    const session = rooms.reserve(room, { sessionId: newId(), playerId, network }, clock.now());
    players.seated(session);
    for (const visit of visits) visit.took(session, room, made);
    return session;
  }

  /**
   * Has the host grant a seat that was taken here; gives it back if the host refuses.
   * @param via how the joiner came to the room; undefined for one whom another room sends, and who may come if it is locked
   * @throws CentroidError
   */
  async grant(
    { session, at }: TakenSeat,
    joiner: Joiner,
    via: "search" | "id" | undefined,
  ): Promise<RoomAddress> {
    const { rooms, hosts, seats } = this.#options;
    const { roomId, sessionId } = session;
    const room = rooms.require(roomId);
    const seat = {
      method: "reserveSeat",
      roomId,
      ...(via !== undefined && { via }),
      sessionId,
      ...seatRequest(joiner),
    } as const;
    try {
      const granted =
        at ?? (await askOwner(this.#options, room, (hostId) => peerOf(hosts.require(hostId)).request(seat)));
      if (room.sessions.get(sessionId) === session) seats.watch(session);
      return granted;
    } catch (cause) {
      rooms.left(room, sessionId);
      throw cause;
    }
  }
}
