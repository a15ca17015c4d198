/**
 * What a room host is asked, behind every carrier: creates rooms, seats players, restores and ends rooms. Moves
 * and standbys have files of their own.
 */
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  CentroidError,
  CLOSE_REFUSED,
  CLOSE_ROOM_MOVED,
  idSchema,
  type MeasureOrder,
  type RoomReport,
  type SeatRequest,
} from "@centroid/protocol";
import { CloseCode } from "@colyseus/core";
import { type Checkpoint, decodeCheckpoint } from "./checkpoint/checkpoint.js";
import { RestoredRoom } from "./checkpoint/restored-room.js";
import { assertDeterministic } from "./colyseus/deterministic.js";
import { listing } from "./colyseus/listing.js";
import { isDeterministic, type MovableRoom, movableClients } from "./colyseus/movable-room.js";
import { deliver } from "./colyseus/operator-message.js";
import {
  type Auth,
  assertJoinable,
  authenticate,
  callRoom,
  checkReconnection,
  disposeRoom,
  forgetUntaken,
  type RoomTypes,
  reserveSeat,
  shutDownRoom,
} from "./colyseus/seats.js";
import { ConnectionRouter } from "./connections/connection-router.js";
import type { PlayerConnection } from "./connections/transport.js";
import { HandoffMoves } from "./rooms/handoff-moves.js";
import { type Hosted, type Seat, seated, seatedAs } from "./rooms/hosted.js";
import { HostedRooms, type HostedRoomsOptions } from "./rooms/hosted-rooms.js";
import { Pauses } from "./rooms/pauses.js";
import { RoomBuilds } from "./rooms/room-builds.js";
import { handleMove } from "./rooms/room-moves.js";
import { StandbyManager } from "./rooms/standby-manager.js";
import type { PlayerLimits } from "./sessions/player-limits.js";
import type { StandbyCopy } from "./standby/standby.js";
import { TrunkServer } from "./trunk/trunk-server.js";

export interface RoomHostOptions extends HostedRoomsOptions, PlayerLimits {
  types: RoomTypes;
  newTicket: () => string;
}

export class RoomHost {
  readonly #types: RoomTypes;
  readonly #pauses = new Pauses();
  readonly #rooms: HostedRooms;
  readonly #standbys: StandbyManager;
  readonly #moves: HandoffMoves;
  readonly #router: ConnectionRouter;
  readonly #trunks: TrunkServer;
  readonly #mayRun: () => boolean;
  readonly #builds: RoomBuilds;

  constructor(options: RoomHostOptions) {
    const { types, mayRun } = options;
    this.#types = types;
    this.#mayRun = mayRun;
    this.#builds = new RoomBuilds(mayRun);
    this.#rooms = new HostedRooms(options, this.#pauses, (roomId) => this.#standbys.drop(roomId));
    const rooms = this.#rooms;
    this.#standbys = new StandbyManager({ ...options, rooms, pauses: this.#pauses });
    this.#moves = new HandoffMoves({
      ...options,
      rooms,
      standbys: this.#standbys,
      onGoesOn: (room) => this.#begins(room),
    });
    this.#trunks = new TrunkServer({
      processId: options.processId,
      onConnection: (connection) => this.accept(connection),
      say: options.notice,
    });
    this.#router = new ConnectionRouter(rooms, this.#standbys, options, (socket) =>
      this.#trunks.accept(socket),
    );
  }

  /** By which gateways are checked from now on. */
  set trunkSecret(secret: string) {
    this.#trunks.secret = secret;
  }

  /** Every new connection of this process. */
  accept(connection: PlayerConnection): void {
    this.#router.accept(connection);
  }

  /** @throws CentroidError */
  async handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]> {
    const result = await this.#dispatch(request);
    return result as AgentResults[R["method"]];
  }

  reports(): RoomReport[] {
    return this.#rooms.reports();
  }

  async #dispatch(request: AgentRequest): Promise<AgentResults[AgentMethod]> {
    switch (request.method) {
      case "createRoom":
        return this.#create(request);
      case "reserveSeat": {
        const { hosted, room } = this.#rooms.running(request.roomId);
        const auth = await authenticate(this.#types.require(hosted.name), request);
        assertJoinable(room, request.via);
        await this.#seat(hosted, room, request, auth);
        return this.#rooms.where;
      }
      case "checkReconnection": {
        const { hosted, room } = this.#rooms.running(request.roomId);
        const { reconnectionToken } = request;
        const awaited = hosted.awaited?.sessionOf(reconnectionToken);
        if (awaited !== undefined && hosted.stage.name !== "running")
          throw new CentroidError("ROOM_MOVING", `room ${request.roomId} is being moved; ask again`);
        const sessionId = awaited ?? checkReconnection(room, reconnectionToken);
        return { ...seatedAs(sessionId, hosted.seats.get(sessionId)), ...this.#rooms.where };
      }
      case "migrateIn":
      case "migrateOut":
      case "abortMigration":
      case "migrationStatus":
        return handleMove(this.#moves, request);
      case "restoreRoom":
        return this.#restore(request);
      case "standBy":
        return this.#standbys.standBy(request);
      case "replicate":
        return this.#standbys.replicate(request);
      case "setAckPolicy":
        return this.#standbys.setAckPolicy(request);
      case "endStandby":
        return this.#standbys.end(request);
      case "warmUp":
        return {};
      case "disposeRoom":
        await this.#dispose(request.roomId, request.epoch, request.shutdown);
        return {};
      case "kick": {
        const client = this.#rooms.running(request.roomId).room.clients.get(request.sessionId);
        if (client === undefined)
          throw new CentroidError("SESSION_NOT_FOUND", `no session ${request.sessionId} in this room`);
        client.leave(CloseCode.WITH_ERROR, "removed by the operator");
        return {};
      }
      case "setLocked": {
        const { room } = this.#rooms.running(request.roomId);
        await (request.locked ? room.lock() : room.unlock());
        return { locked: room.locked };
      }
      case "message":
        return { receivers: deliver(this.#rooms.running(request.roomId).room, request.message) };
      case "callRoom": {
        const { room } = this.#rooms.running(request.roomId);
        return { ...this.#rooms.where, value: await callRoom(room, request.member, request.args) };
      }
      case "inspect": {
        const { room } = this.#rooms.running(request.roomId);
        const state = room.state as { toJSON?: () => unknown } | undefined;
        return {
          state: state?.toJSON?.() ?? null,
          sessions: room.clients.map((client) => client.sessionId),
          clockMs: room.clock.elapsedTime,
        };
      }
      default: {
        const never: never = request;
        throw new CentroidError("BAD_REQUEST", `unknown method ${JSON.stringify(never)}`);
      }
    }
  }

  /** Saves a room as it is now, and waits until that survives this host. @throws CentroidError */
  async saveNow(roomId: string): Promise<void> {
    const checkpointer = this.#rooms.get(roomId)?.protection?.checkpointer;
    if (checkpointer === undefined)
      throw new CentroidError("ROOM_NOT_MOVABLE", `room ${roomId} is not saved anywhere`);
    await checkpointer.saveNow();
  }

  /** A checkpoint of that number survives this host. */
  checkpointed(roomId: string, epoch: number, seq: number): void {
    const hosted = this.#rooms.get(roomId);
    if (hosted?.epoch === epoch) hosted.protection?.checkpointer.confirmed(seq);
  }

  /** No broker keeps the checkpoint of that number. */
  unsaved(roomId: string, epoch: number, seq: number, error: CentroidError): void {
    const hosted = this.#rooms.get(roomId);
    if (hosted?.epoch === epoch) hosted.protection?.checkpointer.refused(seq, error);
  }

  /** What a player is to measure next. */
  measure(order: MeasureOrder): void {
    this.#rooms.measure(order);
  }

  /** This host may not run its rooms just now: another may have them already. */
  pause(): void {
    this.#moves.callOffCopies();
    for (const { stage } of this.#rooms.values())
      if (stage.name === "running") this.#pauses.hold(stage.room, "lease");
  }

  /** It may again; rooms that live elsewhere by now were disposed of before. */
  goOn(): void {
    this.#pauses.releaseAll("lease");
    this.#builds.wake();
  }

  /** There was a time in which another host may have been asked for the rooms that are being built here. */
  callOffBuilds(): void {
    this.#builds.callOffAll();
  }

  /** The room runs here from now on: as soon as this host may run any. */
  #begins(room: MovableRoom): void {
    if (!this.#mayRun()) this.#pauses.hold(room, "lease");
  }

  /** To be called again and again: players can tell a quiet room from a dead host. */
  keepAlive(): void {
    for (const { stage } of this.#rooms.values()) {
      if (stage.name !== "running" || stage.room.move.clock.held) continue;
      for (const { link } of movableClients(stage.room)) link.alive();
    }
  }

  /** Resolves when no room is inside its `onDispose` any more. */
  disposals(): Promise<void> {
    return this.#rooms.disposals();
  }

  /** To be called now and then. */
  forgetUntakenSeats(): void {
    for (const { stage, seats } of this.#rooms.values())
      if (stage.name === "running") forgetUntaken(seats, stage.room);
  }

  async #create(
    request: Extract<AgentRequest, { method: "createRoom" }>,
  ): Promise<AgentResults["createRoom"]> {
    if (this.#rooms.get(request.roomId) !== undefined)
      throw new CentroidError("BAD_REQUEST", `room ${request.roomId} exists here already`);
    const { roomId, name, options, epoch, seat } = request;
    const klass = this.#types.require(name);
    let auth: Auth;
    const room = await this.#builds.build(
      roomId,
      epoch,
      async () => {
        // Whoever may not come in makes no room either.
        auth = seat && (await authenticate(klass, seat));
        const made = await this.#types.create(name, options, roomId);
        if (this.#rooms.get(made.roomId) !== undefined) return made;
        try {
          made.move.snapshot.assertHooks();
          if (isDeterministic(made)) assertDeterministic(made, klass);
        } catch (cause) {
          await disposeRoom(made);
          throw cause;
        }
        return made;
      },
      (built) => (this.#rooms.get(built.roomId) === undefined ? disposeRoom(built) : undefined),
    );
    const own = room.roomId;
    // As on one server: who creates a room with the code of another is seated in that one.
    if (this.#rooms.get(own) !== undefined) return { ...this.#rooms.where, ...listing(room), roomId: own };
    const id = idSchema.safeParse(own);
    if (!id.success) {
      await disposeRoom(room);
      throw new CentroidError(
        "ROOM_ERROR",
        `"${name}" chose the roomId "${own}"; an id has ${id.error.issues[0]?.message}`,
      );
    }
    const hosted: Hosted = {
      name,
      options,
      epoch,
      seats: new Map(),
      protection: undefined,
      awaited: undefined,
      stage: { name: "running", room, arrivals: undefined },
    };
    this.#rooms.adopt(own, room, hosted);
    this.#begins(room);
    if (own !== roomId) return { ...this.#rooms.where, ...listing(room), roomId: own };
    try {
      if (seat !== undefined) await this.#seat(hosted, room, seat, auth);
    } catch (cause) {
      await disposeRoom(room);
      throw cause;
    }
    return { ...this.#rooms.where, ...listing(room) };
  }

  async #seat(hosted: Hosted, room: MovableRoom, seat: SeatRequest, auth: Auth): Promise<void> {
    const { sessionId, playerId, network } = seat;
    await reserveSeat(room, seat, auth);
    // Nobody can take it before this is answered.
    hosted.seats.set(sessionId, { playerId, network });
  }

  async #restore(
    request: Extract<AgentRequest, { method: "restoreRoom" }>,
  ): Promise<AgentResults["restoreRoom"]> {
    const { roomId, name, epoch, migrationId } = request;
    // The order may have waited at an agent that stood still: the broker has asked another host since.
    if (!this.#mayRun())
      throw new CentroidError("HOST_LOST", "this host has lost contact with every broker; ask another");
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.epoch >= epoch)
      throw new CentroidError("STALE_EPOCH", `room ${roomId} is here at epoch ${present.epoch} already`);
    const standby = this.#standbys.get(roomId);
    const checkpoint = savedState(request.from, standby);
    if (present !== undefined) await this.#dispose(roomId, epoch);
    this.#types.require(name);
    const restored = await this.#builds.build(
      roomId,
      epoch,
      () =>
        RestoredRoom.build(checkpoint, { epoch, migrationId }, ({ options, firstAnswers }) =>
          this.#types.rebuild(name, options, roomId, firstAnswers),
        ),
      ({ room }) => room.move.release(),
    );
    const { room } = restored;
    const seats = new Map<string, Seat>();
    for (const { sessionId, playerId, network } of [...checkpoint.room.sessions, ...checkpoint.room.seats])
      if (playerId !== undefined) seats.set(sessionId, { playerId, network });
    const hosted: Hosted = {
      name,
      options: checkpoint.options,
      epoch,
      seats,
      protection: undefined,
      awaited: undefined,
      stage: { name: "running", room, arrivals: undefined },
    };
    const players = standby?.takePlayers() ?? [];
    this.#rooms.adopt(roomId, room, hosted);
    for (const client of restored.clients.values()) this.#rooms.listen(roomId, hosted, client);
    const awaited = restored.resume(checkpoint);
    hosted.awaited = awaited;
    this.#begins(room);
    for (const [sessionId, { socket, reconnectionToken }] of players)
      if (!awaited.accept(socket, sessionId, reconnectionToken))
        socket.close(CLOSE_REFUSED, "there is nothing to come back to");
    return {
      ...this.#rooms.where,
      ...listing(room),
      stateHash: checkpoint.stateHash,
      sessions: seated(hosted),
    };
  }

  /** An epoch newer than the room's: it lives elsewhere, so it goes quietly and its players follow it. */
  async #dispose(roomId: string, epoch: number, shutdown = false): Promise<void> {
    this.#builds.callOff(roomId, epoch);
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return;
    if (epoch < hosted.epoch)
      throw new CentroidError("STALE_EPOCH", `room ${roomId} is at epoch ${hosted.epoch}, not ${epoch}`);
    const { stage } = hosted;
    switch (stage.name) {
      case "arriving":
        stage.destination.abort();
        break;
      case "leaving":
        // Or the hand-off would go on, and give another host a room that is over.
        stage.abort.abort();
        stage.source.release();
        this.#rooms.remove(roomId, hosted);
        break;
      case "running":
        if (epoch > hosted.epoch) {
          const sockets = movableClients(stage.room).map(({ link }) => link.moveAway());
          stage.room.move.release();
          this.#rooms.remove(roomId, hosted);
          for (const socket of sockets) socket?.close(CLOSE_ROOM_MOVED, "room is elsewhere");
        } else await (shutdown ? shutDownRoom(stage.room) : disposeRoom(stage.room));
        break;
      default: {
        const never: never = stage;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }
}

/** @throws CentroidError FRAME_INVALID; ROOM_NOT_FOUND if there is no such standby, or it has not got the whole room */
function savedState(
  from: Extract<AgentRequest, { method: "restoreRoom" }>["from"],
  standby: StandbyCopy | undefined,
): Checkpoint {
  if (from.kind === "checkpoint") return decodeCheckpoint(Buffer.from(from.data, "base64"));
  const checkpoint = standby?.standbyId === from.standbyId ? standby.take() : undefined;
  if (checkpoint === undefined)
    throw new CentroidError("ROOM_NOT_FOUND", `standby ${from.standbyId} is not here, or not whole`);
  return checkpoint;
}
