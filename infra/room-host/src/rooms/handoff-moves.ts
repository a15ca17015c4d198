/** Moves of a room host's rooms by hand-off of their state, as the broker asks for them. */
import { type AgentResults, CentroidError, type RoomEvent } from "@centroid/protocol";
import type { MovableRoom } from "../colyseus/movable-room.js";
import type { RoomTypes } from "../colyseus/seats.js";
import { HandoffDestination } from "../handoff/destination.js";
import { HandoffSource } from "../handoff/source.js";
import { advance, type Hosted, type Seat } from "./hosted.js";
import type { HostedRooms } from "./hosted-rooms.js";
import type { RoomMoveRequest, RoomMoves } from "./room-moves.js";
import type { StandbyManager } from "./standby-manager.js";

/** A finished destination admits late players by ticket for this long. */
const ARRIVAL_WINDOW_MS = 15_000;
/** A room that has not arrived by then will not. */
const ARRIVAL_DEADLINE_MS = 15_000;

export interface HandoffMovesOptions {
  rooms: HostedRooms;
  standbys: StandbyManager;
  types: RoomTypes;
  emit: (roomId: string, epoch: number, change: RoomEvent) => void;
  newTicket: () => string;
  /** False while this host's lease is over: another may have its rooms. */
  mayRun: () => boolean;
  /** The room goes on here: it has arrived, or was to leave and stays. */
  onGoesOn: (room: MovableRoom) => void;
  now: () => number;
}

export class HandoffMoves implements RoomMoves {
  readonly #options: HandoffMovesOptions;

  constructor(options: HandoffMovesOptions) {
    this.#options = options;
  }

  /**
   * Makes ready to be the destination. If the room's standby is here, the room is built from it before this answers, so
   * that its source need not wait for that. @throws CentroidError ROOM_MOVING | ROOM_TYPE_UNKNOWN
   */
  async migrateIn({
    roomId,
    migrationId,
    name,
    epoch,
    standbyId,
  }: RoomMoveRequest<"migrateIn">): Promise<AgentResults["migrateIn"]> {
    const { rooms, standbys, types, emit, newTicket, mayRun, onGoesOn, now } = this.#options;
    const present = rooms.get(roomId);
    // A newer move supersedes one that was called off and has not ended here yet.
    if (present?.stage.name === "arriving" && present.epoch <= epoch) present.stage.destination.abort();
    else if (present !== undefined)
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on this host already`);
    types.require(name);
    const ticket = newTicket();
    const seats = new Map<string, Seat>();
    let options: unknown;
    const destination = new HandoffDestination({
      migrationId,
      epoch,
      deadlineMs: ARRIVAL_DEADLINE_MS,
      mayRun,
      now,
      createRoom: (given, answers) => {
        options = given;
        return types.rebuild(name, given, roomId, answers);
      },
      onSessions: (sessions) => {
        for (const { sessionId, playerId, network } of sessions) {
          if (playerId !== undefined) seats.set(sessionId, { playerId, network });
        }
      },
      onOwned: (room, clients, awaited) => {
        hosted.options = options;
        hosted.awaited = awaited;
        advance(hosted, { type: "owned", room });
        rooms.adopt(roomId, room, hosted);
        for (const client of clients.values()) rooms.listen(roomId, hosted, client);
        emit(roomId, epoch, { event: "owned", migrationId });
        setTimeout(() => advance(hosted, { type: "arrivals-over", destination }), ARRIVAL_WINDOW_MS).unref();
      },
      onResumed: onGoesOn,
      onEnded: () => rooms.remove(roomId, hosted),
    });
    const hosted: Hosted = {
      name,
      options: undefined,
      epoch,
      seats,
      protection: undefined,
      awaited: undefined,
      stage: { name: "arriving", migrationId, ticket, destination },
    };
    rooms.set(roomId, hosted);
    const { where } = rooms;
    const slot = { ...where, transferUrl: `ws://${where.address}/handoff/${migrationId}`, ticket };
    const standby = standbys.get(roomId);
    if (standby === undefined || standby.standbyId !== standbyId) return slot;
    const fed = standby.follow((record) => destination.feed(record));
    const promotes = fed !== undefined && (await destination.build(fed));
    if (destination.state === "ended")
      throw new CentroidError("MIGRATION_FAILED", `the move of room ${roomId} was called off`);
    return promotes ? { ...slot, promotes } : slot;
  }

  /** Moves a room to where `migrateIn` said. Answers when the move is over. @throws CentroidError */
  async migrateOut(request: RoomMoveRequest<"migrateOut">): Promise<AgentResults["migrateOut"]> {
    const { rooms, standbys, emit, now } = this.#options;
    const { roomId, migrationId, epoch, destination, standbyId, deadlineMs } = request;
    const hosted = rooms.require(roomId);
    if (hosted.stage.name !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is being moved already`);
    const { room } = hosted.stage;
    const { ticket } = destination;
    const promoted =
      hosted.protection && standbys.leave(hosted.protection, room, { standbyId, migrationId, ticket });
    // What ends the pause would set the room going while another host has it already.
    if (room.move.clock.held)
      throw new CentroidError(
        "ROOM_BUSY",
        `room ${roomId} is paused: its host has lost contact with every broker; move it later`,
      );
    const source = new HandoffSource({
      migrationId,
      room,
      options: hosted.options,
      epoch,
      destination,
      deadlineMs,
      promoted,
      networkOf: (sessionId) => hosted.seats.get(sessionId)?.network,
      onPhase: (phase, bytes) => emit(roomId, hosted.epoch, { event: "phase", migrationId, phase, bytes }),
      now,
    });
    const abort = new AbortController();
    advance(hosted, { type: "leaves", migrationId, source, abort });
    try {
      const transfer = await source.run(abort.signal);
      hosted.protection?.[Symbol.dispose]();
      rooms.remove(roomId, hosted);
      return transfer;
    } finally {
      if (source.state === "rolled-back") this.#stays(hosted, source, room);
    }
  }

  /** This host may not run its rooms just now: a room that is only being copied stays, and pauses like the others. */
  callOffCopies(): void {
    for (const hosted of this.#options.rooms.values()) {
      const { stage } = hosted;
      if (stage.name !== "leaving" || stage.source.state !== "copying") continue;
      stage.abort.abort();
      stage.source.rollBack();
      this.#stays(hosted, stage.source, stage.room);
    }
  }

  #stays(hosted: Hosted, source: HandoffSource, room: MovableRoom): void {
    if (advance(hosted, { type: "stays", source })) this.#options.onGoesOn(room);
  }

  /** @returns false if no such move is under way. @throws CentroidError MIGRATION_FAILED after the point of no return */
  abort(roomId: string, migrationId: string): boolean {
    const hosted = this.#options.rooms.get(roomId);
    if (hosted === undefined) return false;
    const { stage } = hosted;
    if (stage.name === "arriving" && stage.migrationId === migrationId) return stage.destination.abort();
    if (stage.name === "leaving" && stage.migrationId === migrationId) {
      stage.abort.abort();
      if (stage.source.state === "undecided") {
        stage.source.rollBack();
        this.#stays(hosted, stage.source, stage.room);
      }
      return true;
    }
    return false;
  }

  /** Which side of a move this host is. */
  status(roomId: string): AgentResults["migrationStatus"] {
    const hosted = this.#options.rooms.get(roomId);
    if (hosted === undefined) return { role: "none", epoch: 0 };
    const { stage } = hosted;
    const passive =
      stage.name === "arriving" ||
      (stage.name === "leaving" && (stage.source.state === "undecided" || stage.source.state === "frozen"));
    return { role: passive ? "passive" : "owner", epoch: hosted.epoch };
  }
}
