/**
 * The rooms of one process: creates them, seats players, moves rooms out and takes rooms in. Answers the same
 * requests behind every carrier.
 */
import {
  type AgentMethod,
  type AgentRequest,
  type AgentResults,
  CentroidError,
  CLOSE_REFUSED,
  CLOSE_ROOM_MOVED,
  CONTROL_QUERY,
  RESTORE_QUERY,
  type RoomEvent,
  type RoomReport,
  type Seated,
} from "@centroid/protocol";
import { type Client, CloseCode, connectClientToRoom, type Room } from "@colyseus/core";
import { Acknowledgements } from "./checkpoint/acknowledgements.js";
import { type Checkpoint, decodeCheckpoint } from "./checkpoint/checkpoint.js";
import { Checkpointer, type SavedRoom } from "./checkpoint/checkpointer.js";
import { RestoredRoom } from "./checkpoint/restored-room.js";
import { MovableClient } from "./colyseus/movable-client.js";
import { createRoom, isReplicated, type MovableRoom, movableClients } from "./colyseus/movable-room.js";
import { deliver } from "./colyseus/operator-message.js";
import { checkReconnection, disposeRoom, type RoomTypes, reserveSeat } from "./colyseus/seats.js";
import { HandoffDestination } from "./handoff/destination.js";
import { HandoffSource } from "./handoff/source.js";
import { Pauses } from "./pauses.js";
import { limited } from "./player-limits.js";
import { type RoomSocket, SessionLink } from "./session-link.js";
import { Replicator } from "./standby/replicator.js";
import { Standby } from "./standby/standby.js";
import type { Connection } from "./transport.js";

/** A finished destination keeps admitting late players by ticket so long. */
const ARRIVAL_WINDOW_MS = 15_000;

/** A room that has not arrived by then will not. */
const ARRIVAL_DEADLINE_MS = 15_000;

interface Seat {
  playerId: string;
  network: string | undefined;
}

/** How a running room survives this host. */
interface Protection extends Disposable {
  acknowledgements: Acknowledgements;
  checkpointer: Checkpointer;
  replicator: Replicator | undefined;
}

interface Hosted {
  name: string;
  options: unknown;
  epoch: number;
  seats: Map<string, Seat>;
  protection: Protection | undefined;
  stage:
    | {
        name: "running";
        room: MovableRoom;
        arrivals: HandoffDestination | undefined;
        /** Set if the room was built from a checkpoint: its players are on their way. */
        restored?: RestoredRoom;
      }
    | { name: "leaving"; room: MovableRoom; migrationId: string; source: HandoffSource }
    | { name: "arriving"; migrationId: string; ticket: string; destination: HandoffDestination };
}

export interface RoomHostOptions {
  processId: string;
  /** `host:port` players use. */
  address: string;
  types: RoomTypes;
  emit: (roomId: string, epoch: number, change: RoomEvent) => void;
  /** Where rooms are saved while they run; nowhere if not given. */
  checkpoints?: {
    intervalMs: number;
    save: (roomId: string, epoch: number, saved: SavedRoom) => void;
  };
  /** Of one player; 0 is no limit. */
  maxFramesPerSecond: number;
  notice: (line: string) => void;
  newTicket: () => string;
  now: () => number;
}

export class RoomHost {
  readonly #o: RoomHostOptions;
  readonly #rooms = new Map<string, Hosted>();
  readonly #aborts = new Map<string, AbortController>();
  readonly #pauses = new Pauses();
  /** Copies of rooms that run elsewhere. */
  readonly #standbys = new Map<string, Standby>();

  constructor(options: RoomHostOptions) {
    this.#o = options;
  }

  /** @throws CentroidError */
  async handle<R extends AgentRequest>(request: R): Promise<AgentResults[R["method"]]> {
    const result = await this.#dispatch(request);
    return result as AgentResults[R["method"]];
  }

  reports(): RoomReport[] {
    return [...this.#rooms].map(([roomId, hosted]) => this.#report(roomId, hosted));
  }

  #report(roomId: string, hosted: Hosted): RoomReport {
    const { name, epoch, stage } = hosted;
    return {
      roomId,
      name,
      carrier: "process",
      epoch,
      ...this.#where(),
      passive: stage.name === "arriving",
      ...listing(stage.name === "arriving" ? undefined : stage.room),
      ...(hosted.protection !== undefined &&
        stage.name !== "arriving" &&
        isReplicated(stage.room) && { replicated: true }),
      sessions: seated(hosted),
    };
  }

  async #dispatch(request: AgentRequest): Promise<AgentResults[AgentMethod]> {
    switch (request.method) {
      case "createRoom":
        return this.#create(request);
      case "reserveSeat": {
        const { hosted, room } = this.#running(request.roomId);
        hosted.seats.set(request.sessionId, { playerId: request.playerId, network: request.network });
        try {
          await reserveSeat(room, request.sessionId, request.options, request.authToken);
        } catch (cause) {
          hosted.seats.delete(request.sessionId);
          throw cause;
        }
        return this.#where();
      }
      case "checkReconnection": {
        const { room } = this.#running(request.roomId);
        return { sessionId: checkReconnection(room, request.reconnectionToken), ...this.#where() };
      }
      case "migrateIn":
        return this.#migrateIn(request);
      case "migrateOut":
        return this.#migrateOut(request);
      case "restoreRoom":
        return this.#restore(request);
      case "standBy":
        return this.#standBy(request);
      case "replicate":
        return this.#replicate(request);
      case "confirmBy":
        return this.#confirmBy(request);
      case "endStandby": {
        const standby = this.#standbys.get(request.roomId);
        if (standby?.standbyId === request.standbyId) standby[Symbol.dispose]();
        return {};
      }
      case "abortMigration":
        return { aborted: this.#abort(request.roomId, request.migrationId) };
      case "migrationStatus":
        return this.#status(request.roomId);
      case "disposeRoom":
        await this.#dispose(request.roomId, request.epoch);
        return {};
      case "kick": {
        const client = this.#running(request.roomId).room.clients.get(request.sessionId);
        if (client === undefined)
          throw new CentroidError("SESSION_NOT_FOUND", `no session ${request.sessionId} in this room`);
        client.leave(CloseCode.WITH_ERROR, "removed by the operator");
        return {};
      }
      case "setLocked": {
        const { room } = this.#running(request.roomId);
        await (request.locked ? room.lock() : room.unlock());
        return { locked: room.locked };
      }
      case "message":
        return { receivers: deliver(this.#running(request.roomId).room, request.message) };
      case "inspect": {
        const { room } = this.#running(request.roomId);
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

  /** This host may not run its rooms just now: another may have them already. */
  pause(): void {
    for (const { stage } of this.#rooms.values())
      if (stage.name === "running") this.#pauses.hold(stage.room, "lease");
  }

  /** It may again; rooms that live elsewhere by now were disposed of before. */
  goOn(): void {
    this.#pauses.releaseAll("lease");
  }

  /** To be called every second: players can tell a quiet room from a dead host. */
  keepAlive(): void {
    for (const { stage } of this.#rooms.values()) {
      if (stage.name !== "running" || stage.room.move.held) continue;
      for (const { link } of movableClients(stage.room)) link.control({ type: "alive" });
    }
  }

  #where(): { processId: string; address: string } {
    return { processId: this.#o.processId, address: this.#o.address };
  }

  #hosted(roomId: string): Hosted {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room ${roomId} is not on this host`);
    return hosted;
  }

  #running(roomId: string): { hosted: Hosted; room: MovableRoom } {
    const hosted = this.#hosted(roomId);
    const { stage } = hosted;
    if (stage.name === "arriving")
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on its way here`);
    if (
      stage.name === "leaving" &&
      stage.source.state !== "copying" &&
      stage.source.state !== "rolled-back"
    ) {
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is being moved; ask again`);
    }
    return { hosted, room: stage.room };
  }

  async #create(
    request: Extract<AgentRequest, { method: "createRoom" }>,
  ): Promise<AgentResults["createRoom"]> {
    if (this.#rooms.has(request.roomId))
      throw new CentroidError("BAD_REQUEST", `room ${request.roomId} exists here already`);
    this.#o.types.require(request.name);
    const room = await createRoom(request.name, request.options, request.roomId);
    this.#adopt(request.roomId, room, {
      name: request.name,
      options: request.options,
      epoch: request.epoch,
      seats: new Map(),
      protection: undefined,
      stage: { name: "running", room, arrivals: undefined },
    });
    return { ...this.#where(), ...listing(room) };
  }

  #adopt(roomId: string, room: MovableRoom, hosted: Hosted): void {
    this.#rooms.set(roomId, hosted);
    this.#standbys.get(roomId)?.[Symbol.dispose]();
    room.move.playerOf = (sessionId) => hosted.seats.get(sessionId);
    const tell = (change: RoomEvent): void => this.#o.emit(roomId, hosted.epoch, change);
    const { events } = room.move;
    events.on("join", (client: Client) => {
      const playerId = hosted.seats.get(client.sessionId)?.playerId;
      tell({ event: "joined", sessionId: client.sessionId, ...(playerId !== undefined && { playerId }) });
    });
    events.on("leave", (client: Client) => {
      hosted.seats.delete(client.sessionId);
      tell({ event: "left", sessionId: client.sessionId });
    });
    hosted.protection = this.#protect(roomId, room, hosted);
    tell({ event: "running", report: this.#report(roomId, hosted) });
    const changed = (): void => tell({ event: "listing", ...listing(room) });
    events.on("lock", changed);
    events.on("unlock", changed);
    events.once("dispose", () => {
      hosted.protection?.[Symbol.dispose]();
      this.#pauses.forget(room);
      if (hosted.stage.name === "leaving") {
        if (hosted.stage.source.state === "released") return;
        // The last player left while the room was copied: there is nothing to move.
        this.#aborts.get(hosted.stage.migrationId)?.abort();
      }
      if (this.#rooms.get(roomId) === hosted) this.#rooms.delete(roomId);
      tell({ event: "disposed" });
    });
  }

  #protect(roomId: string, room: MovableRoom, hosted: Hosted): Protection | undefined {
    const { checkpoints, notice, now } = this.#o;
    if (checkpoints === undefined) return undefined;
    const acknowledgements = new Acknowledgements(room);
    const checkpointer = new Checkpointer({
      room,
      acknowledgements,
      options: hosted.options,
      intervalMs: checkpoints.intervalMs,
      now,
      paused: () => hosted.stage.name !== "running",
      save: (saved) => checkpoints.save(roomId, hosted.epoch, saved),
      onUnprotected: ({ message }) =>
        notice(`room ${roomId} cannot be saved and would be lost with this host: ${message}`),
    });
    return {
      acknowledgements,
      checkpointer,
      replicator: undefined,
      [Symbol.dispose]() {
        checkpointer[Symbol.dispose]();
        this.replicator?.[Symbol.dispose]();
      },
    };
  }

  async #restore(
    request: Extract<AgentRequest, { method: "restoreRoom" }>,
  ): Promise<AgentResults["restoreRoom"]> {
    const { roomId, name, epoch, migrationId } = request;
    const present = this.#rooms.get(roomId);
    if (present !== undefined && present.epoch >= epoch)
      throw new CentroidError("STALE_EPOCH", `room ${roomId} is here at epoch ${present.epoch} already`);
    const standby = this.#standbys.get(roomId);
    const checkpoint = savedState(request.from, standby);
    if (present !== undefined) await this.#dispose(roomId, epoch);
    this.#o.types.require(name);
    const restored = await RestoredRoom.build(checkpoint, { epoch, migrationId }, (options) =>
      createRoom(name, options, roomId),
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
      stage: { name: "running", room, arrivals: undefined, restored },
    };
    const players = standby?.takePlayers() ?? [];
    this.#adopt(roomId, room, hosted);
    for (const client of restored.clients.values()) this.#listen(hosted, roomId, client);
    restored.resume(checkpoint);
    for (const [sessionId, { socket, reconnectionToken }] of players)
      if (!restored.accept(socket, sessionId, reconnectionToken))
        socket.close(CLOSE_REFUSED, "there is nothing to come back to");
    return { ...this.#where(), ...listing(room), stateHash: checkpoint.stateHash, sessions: seated(hosted) };
  }

  // --- players ---

  /** Every new connection of this process. */
  accept(connection: Connection): void {
    const [, first, roomId] = connection.path.split("/");
    if (first === "handoff") {
      this.#acceptTransfer(connection, roomId ?? "");
      return;
    }
    if (first === "standby") {
      const { socket, query } = connection;
      if (this.#standbys.get(roomId ?? "")?.acceptFeed(socket, query.get("ticket")) !== true)
        socket.close(CLOSE_REFUSED, "no such standby");
      return;
    }
    void this.#acceptPlayer(connection, roomId ?? "");
  }

  #acceptTransfer({ socket, query }: Connection, migrationId: string): void {
    for (const { stage } of this.#rooms.values()) {
      if (stage.name !== "arriving" || stage.migrationId !== migrationId) continue;
      if (query.get("ticket") !== stage.ticket) break;
      stage.destination.acceptSource(socket);
      return;
    }
    socket.close(CLOSE_REFUSED, "no such migration");
  }

  async #acceptPlayer({ socket, query, context }: Connection, roomId: string): Promise<void> {
    const sessionId = query.get("sessionId");
    const hosted = this.#rooms.get(roomId);
    if (sessionId === null) {
      socket.close(CLOSE_REFUSED, "no sessionId");
      return;
    }
    const { maxFramesPerSecond } = this.#o;
    const resuming = (): RoomSocket => limited(socket, maxFramesPerSecond, true);
    const returning = query.get(RESTORE_QUERY);
    if (hosted === undefined) {
      const standby = returning === null ? undefined : this.#standbys.get(roomId);
      if (standby?.acceptPlayer(resuming(), sessionId, returning ?? "") !== true)
        socket.close(CLOSE_ROOM_MOVED, "room is not here");
      return;
    }
    const { stage } = hosted;
    const ticket = query.get("ticket");
    if (ticket !== null) {
      const destination =
        stage.name === "arriving" ? stage.destination : stage.name === "running" ? stage.arrivals : undefined;
      if (destination?.acceptPlayer(resuming(), sessionId, ticket) !== true)
        socket.close(CLOSE_ROOM_MOVED, "ticket is not valid here");
      return;
    }
    if (returning !== null) {
      const restored = stage.name === "running" ? stage.restored : undefined;
      if (restored?.accept(resuming(), sessionId, returning) === true) return;
      // A room on its way is asked for again; one that runs and does not wait for this session never will.
      const code = stage.name === "running" ? CLOSE_REFUSED : CLOSE_ROOM_MOVED;
      socket.close(code, "there is nothing to come back to");
      return;
    }
    if (stage.name === "arriving" || (stage.name === "leaving" && stage.source.state !== "copying")) {
      socket.close(CLOSE_ROOM_MOVED, "room is being moved");
      return;
    }
    const link = new SessionLink(query.has(CONTROL_QUERY));
    const client = new MovableClient(sessionId, link);
    link.attach(limited(socket, maxFramesPerSecond, false));
    this.#listen(hosted, roomId, client);
    const reconnectionToken = query.get("reconnectionToken");
    try {
      await connectClientToRoom(stage.room as Room, client.asClient(), context, {
        ...(reconnectionToken !== null && { reconnectionToken }),
        skipHandshake: query.has("skipHandshake"),
      });
    } catch (cause) {
      const { code, message } = cause as { code?: number; message: string };
      client.error(code ?? CloseCode.WITH_ERROR, message);
      link.close(reconnectionToken === null ? CloseCode.WITH_ERROR : CloseCode.FAILED_TO_RECONNECT, "");
    }
  }

  #listen(hosted: Hosted, roomId: string, client: MovableClient): void {
    if (hosted.protection !== undefined) client.link.acknowledge = "checkpoint";
    client.link.on("control", (message) => {
      if (message.type !== "report") return;
      const { type: _, ...report } = message;
      this.#o.emit(roomId, hosted.epoch, { event: "report", sessionId: client.sessionId, ...report });
    });
  }

  // --- standbys ---

  #standBy({
    roomId,
    standbyId,
    name,
  }: Extract<AgentRequest, { method: "standBy" }>): AgentResults["standBy"] {
    if (this.#rooms.has(roomId)) throw new CentroidError("BAD_REQUEST", `room ${roomId} is on this host`);
    this.#o.types.require(name);
    this.#standbys.get(roomId)?.[Symbol.dispose]();
    const ticket = this.#o.newTicket();
    const standby = new Standby({
      standbyId,
      ticket,
      onOrphaned: () => this.#o.emit(roomId, 0, { event: "standby-orphaned", standbyId }),
      onEnded: () => {
        if (this.#standbys.get(roomId) === standby) this.#standbys.delete(roomId);
      },
    });
    this.#standbys.set(roomId, standby);
    return { ...this.#where(), transferUrl: `ws://${this.#o.address}/standby/${roomId}`, ticket };
  }

  async #replicate({
    roomId,
    standbyId,
    destination,
  }: Extract<AgentRequest, { method: "replicate" }>): Promise<AgentResults["replicate"]> {
    const { hosted, room } = this.#running(roomId);
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
      now: this.#o.now,
      onHas: (received) => acknowledgements.atStandby(received),
      onBroken: ({ message }) => {
        this.#o.notice(`room ${roomId} lost its standby and waits to be told to go on: ${message}`);
        this.#pauses.hold(room, "standby");
        this.#o.emit(roomId, hosted.epoch, { event: "standby-broken", standbyId });
      },
    });
    protection.replicator = replicator;
    acknowledgements.by = "both";
    try {
      await replicator.start();
    } catch (cause) {
      if (protection.replicator === replicator) this.#goAlone(protection, room);
      throw cause;
    }
    return {};
  }

  #confirmBy({
    roomId,
    standbyId,
    where,
  }: Extract<AgentRequest, { method: "confirmBy" }>): AgentResults["confirmBy"] {
    const hosted = this.#hosted(roomId);
    const { protection, stage } = hosted;
    if (protection === undefined || stage.name === "arriving") return {};
    const { acknowledgements, checkpointer, replicator } = protection;
    if (where === "none") {
      // Whatever standby there was: the broker knows of none that it would give the room to.
      this.#goAlone(protection, stage.room);
      return {};
    }
    if (replicator?.standbyId !== standbyId)
      throw new CentroidError("BAD_REQUEST", `room ${roomId} has no standby ${standbyId}`);
    acknowledgements.by = where;
    if (where === "standby") {
      replicator.invitePlayers();
      this.#pauses.release(stage.room, "standby");
      return {};
    }
    const { bytes, ...saved } = checkpointer.take();
    return { saved: { ...saved, epoch: hosted.epoch, data: Buffer.from(bytes).toString("base64") } };
  }

  #goAlone(protection: Protection, room: MovableRoom): void {
    protection.replicator?.[Symbol.dispose]();
    protection.replicator = undefined;
    protection.acknowledgements.by = "checkpoint";
    this.#pauses.release(room, "standby");
  }

  // --- moves ---

  async #migrateIn(
    request: Extract<AgentRequest, { method: "migrateIn" }>,
  ): Promise<AgentResults["migrateIn"]> {
    const { roomId, migrationId, name, epoch } = request;
    const present = this.#rooms.get(roomId);
    // A newer move supersedes one that was called off and has not ended here yet.
    if (present?.stage.name === "arriving" && present.epoch <= epoch) present.stage.destination.abort();
    else if (present !== undefined)
      throw new CentroidError("ROOM_MOVING", `room ${roomId} is on this host already`);
    this.#o.types.require(name);
    const ticket = this.#o.newTicket();
    const seats = new Map<string, Seat>();
    const hosted: Hosted = {
      name,
      options: undefined,
      epoch,
      seats,
      protection: undefined,
      stage: undefined as never,
    };
    const destination = new HandoffDestination({
      migrationId,
      epoch,
      deadlineMs: ARRIVAL_DEADLINE_MS,
      now: this.#o.now,
      createRoom: (options) => {
        hosted.options = options;
        return createRoom(name, options, roomId);
      },
      onSessions: (sessions) => {
        for (const { sessionId, playerId, network } of sessions) {
          if (playerId !== undefined) seats.set(sessionId, { playerId, network });
        }
      },
      onOwned: (room, clients) => {
        hosted.stage = { name: "running", room, arrivals: destination };
        this.#adopt(roomId, room, hosted);
        for (const client of clients.values()) this.#listen(hosted, roomId, client);
        this.#o.emit(roomId, epoch, { event: "owned", migrationId });
        setTimeout(() => {
          if (hosted.stage.name === "running") hosted.stage.arrivals = undefined;
        }, ARRIVAL_WINDOW_MS).unref();
      },
      onEnded: () => {
        if (this.#rooms.get(roomId) === hosted) this.#rooms.delete(roomId);
      },
    });
    hosted.stage = { name: "arriving", migrationId, ticket, destination };
    this.#rooms.set(roomId, hosted);
    return { ...this.#where(), transferUrl: `ws://${this.#o.address}/handoff/${migrationId}`, ticket };
  }

  async #migrateOut(
    request: Extract<AgentRequest, { method: "migrateOut" }>,
  ): Promise<AgentResults["migrateOut"]> {
    const hosted = this.#hosted(request.roomId);
    const { stage } = hosted;
    if (stage.name !== "running")
      throw new CentroidError("ROOM_MOVING", `room ${request.roomId} is being moved already`);
    if (hosted.protection !== undefined) this.#goAlone(hosted.protection, stage.room);
    const source = new HandoffSource({
      migrationId: request.migrationId,
      room: stage.room,
      options: hosted.options,
      epoch: request.epoch,
      destination: request.destination,
      deadlineMs: request.deadlineMs,
      networkOf: (sessionId) => hosted.seats.get(sessionId)?.network,
      onPhase: (phase, bytes) =>
        this.#o.emit(request.roomId, hosted.epoch, {
          event: "phase",
          migrationId: request.migrationId,
          phase,
          bytes,
        }),
      now: this.#o.now,
    });
    hosted.stage = { name: "leaving", room: stage.room, migrationId: request.migrationId, source };
    const abort = new AbortController();
    this.#aborts.set(request.migrationId, abort);
    try {
      const transfer = await source.run(abort.signal);
      hosted.protection?.[Symbol.dispose]();
      this.#rooms.delete(request.roomId);
      return transfer;
    } finally {
      this.#aborts.delete(request.migrationId);
      if (source.state === "rolled-back")
        hosted.stage = { name: "running", room: stage.room, arrivals: undefined };
    }
  }

  /** @throws CentroidError MIGRATION_FAILED after the point of no return. */
  #abort(roomId: string, migrationId: string): boolean {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return false;
    const { stage } = hosted;
    if (stage.name === "arriving" && stage.migrationId === migrationId) return stage.destination.abort();
    if (stage.name === "leaving" && stage.migrationId === migrationId) {
      this.#aborts.get(migrationId)?.abort();
      if (stage.source.state === "undecided") {
        stage.source.rollBack();
        hosted.stage = { name: "running", room: stage.room, arrivals: undefined };
      }
      return true;
    }
    return false;
  }

  #status(roomId: string): AgentResults["migrationStatus"] {
    const hosted = this.#rooms.get(roomId);
    if (hosted === undefined) return { role: "none", epoch: 0 };
    const { stage } = hosted;
    const passive =
      stage.name === "arriving" ||
      (stage.name === "leaving" && (stage.source.state === "undecided" || stage.source.state === "frozen"));
    return { role: passive ? "passive" : "owner", epoch: hosted.epoch };
  }

  /** An epoch newer than the room's: it lives elsewhere, so it goes quietly and its players follow it. */
  async #dispose(roomId: string, epoch: number): Promise<void> {
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
        stage.source.release();
        this.#rooms.delete(roomId);
        break;
      case "running":
        if (epoch > hosted.epoch) {
          const sockets = movableClients(stage.room).map(({ link }) => link.moveAway());
          stage.room.move.release();
          this.#rooms.delete(roomId);
          for (const socket of sockets) socket?.close(CLOSE_ROOM_MOVED, "room is elsewhere");
        } else await disposeRoom(stage.room);
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
  standby: Standby | undefined,
): Checkpoint {
  if (from.kind === "checkpoint") return decodeCheckpoint(Buffer.from(from.data, "base64"));
  const checkpoint = standby?.standbyId === from.standbyId ? standby.take() : undefined;
  if (checkpoint === undefined)
    throw new CentroidError("ROOM_NOT_FOUND", `standby ${from.standbyId} is not here, or not whole`);
  return checkpoint;
}

function seated({ stage, seats }: Hosted): Seated[] {
  if (stage.name === "arriving") return [];
  return stage.room.clients.map(({ sessionId }) => {
    const seat = seats.get(sessionId);
    if (seat === undefined) return { sessionId };
    const { playerId, network } = seat;
    return { sessionId, playerId, ...(network !== undefined && { network }) };
  });
}

function listing(room: MovableRoom | undefined): { locked: boolean; maxPlayers?: number } {
  if (room === undefined) return { locked: false };
  return { locked: room.locked, ...(Number.isFinite(room.maxClients) && { maxPlayers: room.maxClients }) };
}
