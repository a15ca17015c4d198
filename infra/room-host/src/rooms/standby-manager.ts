/** Copies kept of rooms that run elsewhere, and the copies that this host's own rooms feed. */
import { type AgentRequest, type AgentResults, CentroidError, type RoomEvent } from "@centroid/protocol";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { RoomTypes } from "../colyseus/seats.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import { type Promoted, Replicator } from "../standby/replicator.js";
import { StandbyCopy } from "../standby/standby.js";
import type { Protection } from "./hosted.js";
import type { HostedRooms } from "./hosted-rooms.js";
import type { Pauses } from "./pauses.js";

export interface StandbyManagerOptions {
  rooms: HostedRooms;
  pauses: Pauses;
  types: RoomTypes;
  emit: (roomId: string, epoch: number, change: RoomEvent) => void;
  notice: (line: string) => void;
  newTicket: () => string;
  now: () => number;
}

type Request<M extends AgentRequest["method"]> = Extract<AgentRequest, { method: M }>;

export class StandbyManager {
  readonly #options: StandbyManagerOptions;
  readonly #standbys = new Map<string, StandbyCopy>();

  constructor(options: StandbyManagerOptions) {
    this.#options = options;
  }

  get(roomId: string): StandbyCopy | undefined {
    return this.#standbys.get(roomId);
  }

  /** The room runs here: a copy of it is of no use. */
  drop(roomId: string): void {
    this.#standbys.get(roomId)?.[Symbol.dispose]();
  }

  /** @returns false if there is no such standby, or this is not its feed */
  acceptFeed(roomId: string, socket: ServerSocket, ticket: string | null): boolean {
    return this.#standbys.get(roomId)?.acceptFeed(socket, ticket) === true;
  }

  /** A player's second connection, for the day the room's host dies. @returns false if nobody waits for it */
  acceptPlayer(
    roomId: string,
    socket: () => ServerSocket,
    who: { sessionId: string; token: string; promotable: boolean },
  ): boolean {
    const { sessionId, token, promotable } = who;
    return this.#standbys.get(roomId)?.acceptPlayer(socket(), sessionId, token, promotable) === true;
  }

  /** Keeps a copy from now on, in place of an earlier one. @throws CentroidError BAD_REQUEST | ROOM_TYPE_UNKNOWN */
  standBy({ roomId, standbyId, name }: Request<"standBy">): AgentResults["standBy"] {
    const { rooms, types, emit, newTicket } = this.#options;
    if (rooms.get(roomId) !== undefined)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} is on this host`);
    types.require(name);
    this.drop(roomId);
    const ticket = newTicket();
    const standby = new StandbyCopy({
      standbyId,
      ticket,
      onOrphaned: () => emit(roomId, 0, { event: "standby-orphaned", standbyId }),
      onPromoted: (migrationId, given) => {
        const stage = rooms.get(roomId)?.stage;
        if (stage?.name !== "arriving" || stage.migrationId !== migrationId || stage.ticket !== given)
          return undefined;
        return (copy) => stage.destination.acceptPromoted(copy);
      },
      onEnded: () => {
        if (this.#standbys.get(roomId) === standby) this.#standbys.delete(roomId);
      },
    });
    this.#standbys.set(roomId, standby);
    const { where } = rooms;
    return { ...where, transferUrl: `ws://${where.address}/standby/${roomId}`, ticket };
  }

  end({ roomId, standbyId }: Request<"endStandby">): AgentResults["endStandby"] {
    if (this.#standbys.get(roomId)?.standbyId === standbyId) this.drop(roomId);
    return {};
  }

  /** Feeds a room's copy on another host. Answers when that has the whole room. @throws CentroidError */
  async replicate({
    roomId,
    standbyId,
    destination,
  }: Request<"replicate">): Promise<AgentResults["replicate"]> {
    const { pauses, notice, emit, now } = this.#options;
    const { hosted, room } = this.#options.rooms.running(roomId);
    const { protection } = hosted;
    if (protection === undefined || hosted.stage.name !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is being moved, or checkpoints are off here`);
    protection.replicator?.[Symbol.dispose]();
    const { acknowledgements } = protection;
    const replicator = new Replicator({
      standbyId,
      room,
      options: hosted.options,
      destination,
      networkOf: (sessionId) => hosted.seats.get(sessionId)?.network,
      now,
      onHas: (received) => acknowledgements.atStandby(received),
      onBroken: ({ message }) => {
        notice(`room ${roomId} lost its standby and is paused until a broker lets it continue: ${message}`);
        pauses.hold(room, "standby");
        emit(roomId, hosted.epoch, { event: "standby-broken", standbyId });
      },
    });
    protection.replicator = replicator;
    acknowledgements.by = "both";
    try {
      await replicator.start();
    } catch (cause) {
      if (protection.replicator === replicator) this.goAlone(protection, room);
      throw cause;
    }
    return {};
  }

  /** Where what players send has to be before it is confirmed to them. @throws CentroidError */
  setAckPolicy({ roomId, standbyId, where }: Request<"setAckPolicy">): AgentResults["setAckPolicy"] {
    const hosted = this.#options.rooms.require(roomId);
    const { protection, stage } = hosted;
    if (protection === undefined || stage.name === "arriving") return {};
    const { acknowledgements, checkpointer, replicator } = protection;
    if (where === "none") {
      // Whatever standby there was: the broker knows of none that it would give the room to.
      this.goAlone(protection, stage.room);
      return {};
    }
    if (replicator?.standbyId !== standbyId)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} has no standby ${standbyId}`);
    acknowledgements.by = "both";
    if (where === "standby") {
      replicator.invitePlayers();
      this.#options.pauses.release(stage.room, "standby");
      return {};
    }
    const { bytes, ...saved } = checkpointer.take();
    return { saved: { ...saved, epoch: hosted.epoch, data: Buffer.from(bytes).toString("base64") } };
  }

  /**
   * The room leaves: it has no standby from now on, and waits for none.
   * @param to the standby that it moves to, if it does, and the move
   * @returns that standby, which has the room and lacks what changes from here on
   */
  leave(
    protection: Protection,
    room: MovableRoom,
    to: { standbyId: string | undefined; migrationId: string; ticket: string },
  ): Promoted | undefined {
    const { replicator } = protection;
    const here = replicator !== undefined && replicator.standbyId === to.standbyId;
    const promoted = here && !room.move.clock.held ? replicator.promote(to) : undefined;
    this.goAlone(protection, room);
    return promoted;
  }

  /** The room has no standby from now on. */
  goAlone(protection: Protection, room: MovableRoom): void {
    protection.replicator?.[Symbol.dispose]();
    protection.replicator = undefined;
    protection.acknowledgements.by = "checkpoint";
    this.#options.pauses.release(room, "standby");
  }
}
