/** What a movable room can do beside being a room: stand still, be taken apart, be put together and go on. */
import { CentroidError } from "@centroid/protocol";
import {
  type Client,
  type ClientPrivate,
  ClientState,
  type Delayed,
  getMessageBytes,
  Protocol,
  type Room,
} from "@colyseus/core";
import { type Encoder, type Schema, StateView } from "@colyseus/schema";
import { internals, type RoomInternals } from "./core-internals.js";
import { type MovableClient, newClient } from "./movable-client.js";
import type { CarriedRoom, SessionRecord } from "./room-record.js";
import { readView, writeView } from "./schema/views.js";
import { exportTimers, importTimers, nameMethodTimers } from "./timers.js";

export class RoomMove {
  readonly #room: Room;
  readonly reconnecting = new Map<string, Client>();
  /** Sessions that are not back since the room was restored, with until when they are waited for. */
  readonly awaited = new Map<string, number>();
  readonly #inFlight = new Set<string>();
  #inFlightMessages = 0;
  #declared: Delayed[] = [];
  #created = false;
  readonly #restoredPending: (Client & ClientPrivate)[] = [];
  #nextKey = 0;
  held = false;
  /** Asked before each step: a process that stood still for long finds out here that its lease is over. */
  mayRun: () => boolean = () => true;
  /** Which owner of the room this host is, counted from the first; set once the room runs here. */
  epoch = 0;
  fixedTick = 0;
  /** Patches that had something in them, so far. */
  patches = 0;
  rearm: (() => void) | undefined;
  /** One step of the simulation, out of turn: the first at the destination. */
  stepNow: (() => void) | undefined;
  /** Set while a migration copies: sees what the next patch will send before the encoder forgets it. */
  beforePatch: (() => void) | undefined;
  onPatched: (() => void) | undefined;
  playerOf: (sessionId: string) => { playerId: string; network: string | undefined } | undefined = () =>
    undefined;

  constructor(room: Room) {
    this.#room = room;
  }

  get encoder(): Encoder<Schema> | undefined {
    return internals(this.#room)._serializer.encoder;
  }

  /** To be called when `onCreate` has returned: timers from before move by their order. */
  created(): void {
    if (this.#created) return;
    this.#created = true;
    this.#declared = [...this.#room.clock.delayed];
    nameMethodTimers(this.#room);
    const serializer = internals(this.#room)._serializer;
    const apply = serializer.applyPatches.bind(serializer);
    serializer.applyPatches = (...args: Parameters<typeof apply>): boolean => {
      this.beforePatch?.();
      return apply(...args);
    };
  }

  /** `join` and `leave`, with the client. */
  get events(): NodeJS.EventEmitter {
    return internals(this.#room)._events;
  }

  track(result: unknown): unknown {
    if (!(result instanceof Promise)) return result;
    this.#inFlightMessages++;
    return result.finally(() => {
      this.#inFlightMessages--;
    });
  }

  trackSession<T>(sessionId: string, running: Promise<T>): Promise<T> {
    const key = `${sessionId}:${this.#nextKey++}`;
    this.#inFlight.add(key);
    return running.finally(() => this.#inFlight.delete(key));
  }

  /** True while the author's async code runs that a move would cut in two. */
  get busy(): boolean {
    if (this.#inFlightMessages > 0) return true;
    for (const key of this.#inFlight) {
      if (!this.reconnecting.has(key.slice(0, key.indexOf(":")))) return true;
    }
    return this.#room.clients.some(
      ({ state, sessionId }) => state === ClientState.JOINING && !this.awaited.has(sessionId),
    );
  }

  /** Who sits here, may sit down, or may come back. */
  sessionIds(): Set<string> {
    const room = internals(this.#room);
    return new Set([
      ...room.clients.map(({ sessionId }) => sessionId),
      ...Object.keys(room._reservedSeats),
      ...this.reconnecting.keys(),
      ...[...this.#inFlight].map((key) => key.slice(0, key.lastIndexOf(":"))),
    ]);
  }

  /** What was staged for clients that came along with the room; Colyseus knows only those that joined here. */
  flushRestored(): void {
    for (const client of this.#restoredPending) (client as unknown as MovableClient).flushPending();
    this.#restoredPending.length = 0;
  }

  /** @throws CentroidError ROOM_NOT_MOVABLE with what stands in the way and how to change it. */
  assertMovable(): void {
    const room = internals(this.#room);
    if (room._inputController !== undefined) {
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        "rooms with defineInput() cannot be moved yet; use onMessage() for input",
      );
    }
    if (this.#room.state !== undefined && this.encoder === undefined) {
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        "only Schema states can be moved; define the state with schema()",
      );
    }
    exportTimers(this.#room, this.#declared);
  }

  /** True if the room may not take its next step. */
  standsStill(): boolean {
    return this.held || !this.mayRun();
  }

  /** Stops time in the room: no step, no patch, no timer until {@link resume}. */
  hold(): void {
    this.held = true;
    this.#room.clock.tick = () => undefined;
  }

  /** Time goes on, without counting what passed while held. `firstTickInMs` aligns the next patch. */
  resume(firstTickInMs?: number): void {
    const { clock } = this.#room;
    this.held = false;
    Reflect.deleteProperty(clock, "tick");
    clock.currentTime = (clock as unknown as { now(): number }).now();
    if (firstTickInMs === undefined) return;
    const start = (): void => {
      if (internals(this.#room)._listing === undefined || this.held) return;
      this.rearm?.();
      this.stepNow?.();
      this.#room.patchRate = this.#room.patchRate;
      this.#room.broadcastPatch();
    };
    if (firstTickInMs <= 0) start();
    else setTimeout(start, firstTickInMs);
  }

  /** Reads all but the state graph. Only while held, or between two handlers of the room. */
  export(): CarriedRoom {
    const room = internals(this.#room);
    // Of a room that is saved in the middle of an onJoin(), without the player who is not in yet.
    const present = room.clients.filter(
      ({ state, sessionId }) =>
        state !== ClientState.JOINING ||
        this.awaited.has(sessionId) ||
        room._reservedSeats[sessionId] === undefined,
    );
    const sessions = present.map((client) => this.#session(client as unknown as MovableClient, false));
    for (const client of this.reconnecting.values())
      sessions.push(this.#session(client as unknown as MovableClient, true));
    const fresh = Object.entries(room._reservedSeats).filter(([, seat]) => !seat[2] && !seat[3]);
    return {
      clock: {
        elapsedMs: this.#room.clock.elapsedTime,
        timers: exportTimers(this.#room, this.#declared),
        fixedTick: this.fixedTick,
      },
      patchRateMs: this.#room.patchRate,
      metadata: room._listing.metadata,
      maxClients: this.#room.maxClients,
      locked: room._lockedExplicitly,
      isPrivate: room._listing.private === true,
      ...(room._listing.unlisted === true && { isUnlisted: true }),
      autoDispose: this.#room.autoDispose,
      sessions,
      seats: fresh.map(([sessionId, [options, auth]]) => ({
        sessionId,
        options,
        auth,
        ...seatOwner(this.playerOf(sessionId)),
      })),
      extra: this.#hook("onFreeze", () => room.onFreeze?.()),
    };
  }

  #hook<T>(name: string, call: () => T): T {
    try {
      return call();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new CentroidError("ROOM_ERROR", `${name}() of room ${this.#room.roomId} threw: ${message}`, {
        cause,
      });
    }
  }

  #session(client: MovableClient, dropped: boolean): SessionRecord {
    const { encoder } = this;
    return {
      sessionId: client.sessionId,
      ...seatOwner(this.playerOf(client.sessionId)),
      centroid: client.link.centroid,
      reconnectionToken: client.reconnectionToken,
      auth: client.auth,
      userData: client.userData,
      joinedAtMs: client._joinedAt,
      view: client.view === undefined || encoder === undefined ? undefined : readView(client.view, encoder),
      received: client.link.received,
      sent: client.link.sent,
      dropped,
      ...this.#absence(client),
    };
  }

  #absence({ sessionId, _enqueuedMessages }: MovableClient): Pick<SessionRecord, "awaitedMs" | "waiting"> {
    const untilMs = this.awaited.get(sessionId);
    if (untilMs === undefined) return {};
    return {
      awaitedMs: Math.max(0, untilMs - performance.now()),
      waiting: (_enqueuedMessages ?? []).map((frame) => Buffer.from(frame)),
    };
  }

  /** The state instance is filled: build the encoder on it, so that patches go on with the source's refIds. */
  attachState(): Encoder<Schema> {
    const { _serializer } = internals(this.#room);
    _serializer.reset(this.#room.state as Schema);
    return _serializer.encoder;
  }

  /**
   * Puts sessions, seats, clock and timers in place. Only while held.
   * @returns the restored clients, by session id, not yet connected to anyone.
   */
  async import(record: CarriedRoom): Promise<Map<string, MovableClient>> {
    const room = internals(this.#room);
    const clients = new Map<string, MovableClient>();
    this.#room.clock.elapsedTime = record.clock.elapsedMs;
    this.fixedTick = record.clock.fixedTick;
    importTimers(this.#room, this.#declared, record.clock.timers);
    this.#room.maxClients = record.maxClients;
    for (const session of record.sessions) {
      const client = newClient(session);
      client._joinedAt = session.joinedAtMs;
      client._pendingFrameClients = this.#restoredPending;
      if (session.view !== undefined && this.encoder !== undefined) {
        client.view = new StateView(session.view.iterable);
        writeView(client.view, session.view, this.encoder);
      }
      await this.#occupy(client);
      clients.set(session.sessionId, client);
    }
    for (const seat of record.seats) await room._reserveSeat(seat.sessionId, seat.options, seat.auth);
    if (record.metadata !== undefined) await this.#room.setMetadata(record.metadata as never);
    // The other way round, too: its onCreate(), which has run again here, may say what it said at first.
    await this.#room.setPrivate(record.isPrivate);
    if (record.isUnlisted !== undefined) await this.#room.setMatchmaking({ unlisted: record.isUnlisted });
    if (record.locked) await this.#room.lock();
    if (record.patchRateMs !== this.#room.patchRate) this.#room.patchRate = record.patchRateMs;
    this.#room.autoDispose = record.autoDispose;
    this.#hook("onThaw", () => room.onThaw?.(record.extra));
    return clients;
  }

  /** Takes a seat for a client that joined elsewhere: counted like any other, without onJoin. */
  async #occupy(client: MovableClient): Promise<void> {
    const room = internals(this.#room);
    const { sessionId } = client;
    if (!(await room._reserveSeat(sessionId))) {
      throw new CentroidError(
        "ROOM_FULL",
        `seat ${sessionId} does not fit: maxClients differs between the hosts`,
      );
    }
    clearTimeout(room._reservedSeatTimeouts[sessionId]);
    delete room._reservedSeatTimeouts[sessionId];
    delete room._reservedSeats[sessionId];
    clearTimeout(room._autoDisposeTimeout);
    room._autoDisposeTimeout = undefined;
    room.clients.push(client.asClient());
    this.wire(client);
    room._events.emit("join", client.asClient());
  }

  /** What its link says reaches the room from now on, as for a client that joined here. */
  wire(client: MovableClient): void {
    const room = internals(this.#room);
    const onLeave = room._onLeave.bind(room, client.asClient());
    client.ref.onleave = onLeave;
    client.ref.once("close", onLeave);
    client.ref.on("message", room._onMessage.bind(room, client.asClient()));
  }

  /** Colyseus' answer to a client that takes its seat; the state follows when the client has confirmed it. */
  sendHandshake(client: MovableClient, skipHandshake: boolean): void {
    const serializer = internals(this.#room)._serializer;
    const handshake = skipHandshake ? undefined : serializer.handshake?.();
    client.raw(getMessageBytes[Protocol.JOIN_ROOM](client.reconnectionToken, serializer.id, handshake));
  }

  /** The state as a newcomer gets it; a client that had one reconciles it with this. */
  sendWhole(client: MovableClient): void {
    if (this.#room.state !== undefined) internals(this.#room).sendFullState(client.asClient());
  }

  /** Players who were disconnected when the room moved: their onDrop/onLeave runs again here and holds the seat. */
  dropAgain(client: MovableClient): void {
    void internals(this.#room)._onLeave(client.asClient(), 1006);
  }

  /** The room lives elsewhere now: free everything here without telling the author's code or the players. */
  release(): void {
    const room = internals(this.#room) as RoomInternals & { onDispose?: unknown };
    this.hold();
    Object.defineProperty(room, "onDispose", { value: undefined });
    for (const timeout of Object.values(room._reservedSeatTimeouts)) clearTimeout(timeout);
    room._events.emit("dispose");
  }
}

function seatOwner(player: { playerId: string; network: string | undefined } | undefined): {
  playerId: string | undefined;
  network: string | undefined;
} {
  return { playerId: player?.playerId, network: player?.network };
}
