/**
 * Players whom a room sends to another: a new one is placed for all of them together, and each has its seat there before
 * anybody is told to go.
 */
import { CentroidError, type RoomQuestion, type TravelAnswer } from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import type { PlayerEntry } from "../probes/player-registry.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { TrackedRooms } from "../rooms/tracked-rooms.js";
import type { Joiner } from "./join-request.js";
import { SeatClaim, type SeatClaimOptions } from "./seat-claim.js";

type Order = Extract<RoomQuestion, { method: "travel" }>;
type SeatOf = TravelAnswer["seats"][number];

export interface SeatTravelOptions extends SeatClaimOptions {
  events: Emitter<RoomEvents>;
  /** Where players dial to get to a process at that address, as far as this broker can say. */
  dialled: (address: string) => string | undefined;
  tracked: Pick<TrackedRooms, "has">;
}

interface Going {
  /** In the room that it comes from. */
  sessionId: string;
  joiner: Joiner;
}

export class Travel {
  readonly #options: SeatTravelOptions;
  readonly #claim: SeatClaim;

  constructor(options: SeatTravelOptions) {
    this.#options = options;
    this.#claim = new SeatClaim(options);
  }

  /**
   * @param hostId whose room sends them
   * @throws CentroidError FORBIDDEN | ROOM_NOT_FOUND | SESSION_NOT_FOUND | ROOM_TYPE_UNKNOWN | NO_HOST, or what the author throws
   */
  async start({ roomId, to, options, players }: Order, hostId: string): Promise<TravelAnswer> {
    const from = this.#options.rooms.require(roomId);
    if (from.stage.hostId !== hostId)
      throw new CentroidError("FORBIDDEN", `room ${roomId} is not at host ${hostId}`);
    // While no broker decides about the room, its host asks any.
    if (!this.#options.tracked.has(from))
      throw new CentroidError("HOST_LOST", `players of room ${roomId} are not known here; try again shortly`);
    const going: Going[] = [];
    const seats: SeatOf[] = [];
    for (const { sessionId, auth } of players) {
      const player = this.#playerOf(from, sessionId);
      if (player === undefined) seats.push(gone(sessionId));
      else going.push({ sessionId, joiner: joinerOf(player, options, auth) });
    }
    const [first, ...others] = going;
    if (first === undefined)
      throw new CentroidError("SESSION_NOT_FOUND", `nobody who could go is in room ${roomId} any more`);
    const waiting = going.map(({ joiner: { player } }) => player);
    for (const player of waiting) player.joining++;
    try {
      if ("roomId" in to) {
        const room = this.#options.rooms.require(to.roomId);
        return this.#answer(from, room, [...seats, ...(await this.#seatAll(room, going))]);
      }
      const { room, seat } = await this.#make(to.name, first, others.map(playerOf));
      return this.#answer(from, room, [...seats, seat, ...(await this.#seatAll(room, others))]);
    } finally {
      for (const player of waiting) {
        player.joining--;
        this.#options.players.release(player);
      }
    }
  }

  #answer(from: RoomEntry, { roomId }: RoomEntry, seats: SeatOf[]): TravelAnswer {
    const players = seats.filter(({ seat }) => seat !== undefined).length;
    if (players > 0)
      this.#options.events.emit("room.travelled", { fromRoomId: from.roomId, toRoomId: roomId, players });
    return { roomId, seats };
  }

  #playerOf(room: RoomEntry, sessionId: string): PlayerEntry | undefined {
    const playerId = room.sessions.get(sessionId)?.playerId;
    return playerId === undefined ? undefined : this.#options.players.of(playerId);
  }

  /** A new room with the first of them in it, where it is best for all. */
  async #make(
    name: string,
    { sessionId, joiner }: Going,
    party: readonly PlayerEntry[],
  ): Promise<{ room: RoomEntry; seat: SeatOf }> {
    const taken = await this.#claim.take({ type: "new", name }, { ...joiner, party });
    const room = this.#options.rooms.require(taken.session.roomId);
    const at = await this.#claim.grant(taken, joiner, undefined);
    return { room, seat: { sessionId, seat: this.#row(room, taken.session.sessionId, at) } };
  }

  #seatAll(room: RoomEntry, going: readonly Going[]): Promise<SeatOf[]> {
    return Promise.all(going.map((one) => this.#seat(room, one)));
  }

  async #seat(room: RoomEntry, { sessionId, joiner }: Going): Promise<SeatOf> {
    try {
      const taken = await this.#claim.take({ type: "existing", room, byDistance: false }, joiner);
      const at = await this.#claim.grant(taken, joiner, undefined);
      return { sessionId, seat: this.#row(room, taken.session.sessionId, at) };
    } catch (cause) {
      return { sessionId, error: CentroidError.from(cause).toWire() };
    }
  }

  #row(
    { name, roomId }: RoomEntry,
    sessionId: string,
    { processId, address }: { processId: string; address: string },
  ): NonNullable<SeatOf["seat"]> {
    const publicAddress = this.#options.dialled(address);
    return { name, sessionId, roomId, processId, ...(publicAddress !== undefined && { publicAddress }) };
  }
}

const playerOf = ({ joiner: { player } }: Going): PlayerEntry => player;

const gone = (sessionId: string): SeatOf => ({
  sessionId,
  error: new CentroidError("SESSION_NOT_FOUND", `no player of session ${sessionId} is known here`).toWire(),
});

function joinerOf(player: PlayerEntry, options: unknown, auth: unknown): Joiner {
  return {
    player,
    judgedBy: undefined,
    canMeasure: false,
    playerToken: "",
    party: [],
    options: Object.assign({}, options) as Record<string, unknown>,
    caller: { authToken: undefined, request: undefined, sent: { ...(auth !== undefined && { auth }) } },
    visits: [],
    probes: [],
  };
}
