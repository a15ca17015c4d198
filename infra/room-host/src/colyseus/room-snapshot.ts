/** A movable room taken apart and put together: all of it but its state graph. */
import { CentroidError } from "@centroid/protocol";
import { type Client, type ClientPrivate, ClientState, Delayed, Rewind, type Room } from "@colyseus/core";
import type { Encoder, Schema } from "@colyseus/schema";
import { carry, type Links, uncarry } from "../values/carried-values.js";
import { internals, type RoomInternals } from "./core-internals.js";
import type { InputBacklog } from "./input-backlog.js";
import type { InputRecord, RoomInputs } from "./inputs.js";
import type { LateSetUp, LateSetUpRecord } from "./late-set-up.js";
import { MovableClient } from "./movable-client.js";
import { readPlainFields, writePlainFields } from "./plain-fields.js";
import type { RoomRewind } from "./rewind.js";
import type { RoomActivity } from "./room-activity.js";
import type { RoomClock } from "./room-clock.js";
import type { CarriedRoom } from "./room-record.js";
import type { RoomWork } from "./room-work.js";
import type { RoomStreams } from "./schema/streams.js";
import { type PlayerOf, SessionRecords } from "./session-records.js";
import { exportTimers, importTimers, nameMethodTimers } from "./timers.js";

export interface SnapshotOptions {
  room: Room;
  clock: RoomClock;
  activity: RoomActivity;
  setUp: LateSetUp;
  inputs: RoomInputs;
  backlog: InputBacklog;
  rewind: RoomRewind;
  streams: RoomStreams;
  work: RoomWork;
  /** What the link of a client says reaches the room from now on. */
  wire: (client: MovableClient) => void;
}

export class RoomSnapshot {
  readonly #room: Room;
  readonly #clock: RoomClock;
  readonly #activity: RoomActivity;
  readonly #setUp: LateSetUp;
  readonly #wire: (client: MovableClient) => void;
  readonly #parts: Pick<SnapshotOptions, "inputs" | "backlog" | "rewind" | "streams" | "work">;
  readonly #sessions: SessionRecords;
  readonly #restoredPending: (Client & ClientPrivate)[] = [];
  #declared: Delayed[] = [];
  #playerOf: PlayerOf = () => undefined;
  #notice: (line: string) => void = () => undefined;
  readonly #told = new Set<string>();

  constructor({ room, clock, activity, setUp, wire, ...parts }: SnapshotOptions) {
    this.#parts = parts;
    this.#sessions = new SessionRecords({
      activity,
      ...parts,
      encoder: () => this.encoder,
      playerOf: (sessionId) => this.#playerOf(sessionId),
    });
    this.#room = room;
    this.#clock = clock;
    this.#activity = activity;
    this.#setUp = setUp;
    this.#wire = wire;
  }

  get encoder(): Encoder<Schema> | undefined {
    return internals(this.#room)._serializer.encoder;
  }

  /** To be called when `onCreate` has returned: timers from before move by their order. */
  created(): void {
    this.#declared = [...this.#room.clock.delayed];
    nameMethodTimers(this.#room);
  }

  /** Who its players are from now on, and who hears what is not carried. */
  adopted(playerOf: PlayerOf, notice: (line: string) => void): void {
    this.#playerOf = playerOf;
    this.#notice = notice;
  }

  /** What was staged for clients that came along with the room; Colyseus knows only those that joined here. */
  flushRestored(): void {
    for (const client of this.#restoredPending) (client as unknown as MovableClient).flushPending();
    this.#restoredPending.length = 0;
  }

  /** @throws CentroidError ROOM_NOT_MOVABLE with what stands in the way and how to change it. */
  assertMovable(): void {
    const room = internals(this.#room);
    this.#parts.inputs.assertMovable();
    if (this.#room.state !== undefined && this.encoder === undefined) {
      throw new CentroidError(
        "ROOM_NOT_MOVABLE",
        "only Schema states can be moved; define the state with schema()",
      );
    }
    const [closure] = this.#closures();
    if (closure !== undefined && room.onThaw === undefined)
      throw new CentroidError("ROOM_NOT_MOVABLE", closure);
    this.export();
  }

  /**
   * That what the author's hooks give can go to another host, asked when the room is made and not at its first move.
   * What onFreeze() throws before there is anything to carry is no answer.
   * @throws CentroidError ROOM_NOT_MOVABLE
   */
  assertHooks(): void {
    let extra: unknown;
    try {
      extra = internals(this.#room).onFreeze?.();
    } catch {
      return;
    }
    if (extra instanceof Promise) extra.catch(() => undefined);
    carry(extra, "what onFreeze() returned");
  }

  /** Reads all but the state graph. Only while held, or between two handlers of the room. */
  export(): CarriedRoom {
    const room = internals(this.#room);
    const { records, timers } = exportTimers(this.#room, this.#declared);
    if (room.onThaw === undefined)
      for (const why of [...this.#closures(), ...this.#parts.streams.closures(this.encoder)])
        this.#leftOut(why);
    // Of a room that is saved in the middle of an onJoin(), without the player who is not in yet.
    const present = room.clients.filter(
      ({ state, sessionId }) =>
        state !== ClientState.JOINING ||
        this.#activity.awaited.has(sessionId) ||
        room._reservedSeats[sessionId] === undefined,
    );
    const away = [...this.#activity.reconnecting.values()].map(({ client }) => client);
    const sessions = [
      ...present.map((client) => this.#sessions.read(client as unknown as MovableClient, false)),
      ...away.map((client) => this.#sessions.read(client as unknown as MovableClient, true)),
    ];
    const { inputs, rewind, streams } = this.#parts;
    const sending = streams.export(this.encoder, [...present, ...away] as unknown as MovableClient[]);
    const timeline = inputs.exportTimeline();
    const buffers = rewind.export(this.encoder);
    const fresh = Object.entries(room._reservedSeats).filter(([, seat]) => !seat[2] && !seat[3]);
    return {
      clock: { ...this.#clock.export(), timers: records },
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
        auth: carry(auth, `auth of session ${sessionId}`),
        ...this.#sessions.ownerOf(sessionId),
      })),
      ...(timeline !== undefined && { timeline }),
      ...(buffers !== undefined && { rewind: buffers }),
      ...(sending.length > 0 && { streams: sending }),
      setUp: this.#setUp.export(),
      plain: readPlainFields(this.#room, this.encoder, this.#links(timers), (field, why) =>
        this.#leftOut(`${field}: ${why}`),
      ),
      extra: carry(
        this.#hook("onFreeze", () => room.onFreeze?.()),
        "what onFreeze() returned",
      ),
    };
  }

  /** To be asked once {@link import} is through. @throws CentroidError ROOM_NOT_MOVABLE */
  assertWhole({ setUp }: { setUp: readonly LateSetUpRecord[] }): void {
    this.#setUp.assertAgain(setUp);
  }

  #closures(): string[] {
    return [...this.#setUp.closures(), ...this.#parts.rewind.closures()];
  }

  /** Clients by session, and timers by their place among those that are pending. */
  #links(timers: readonly (Delayed | undefined)[]): Links {
    return {
      linkOf: (value) => {
        if (value instanceof MovableClient) return `client ${value.sessionId}`;
        if (value instanceof Rewind) return "rewind";
        if (value !== undefined && value === this.#parts.inputs.api) return "inputs";
        const workers = this.#parts.work.indexOf(value);
        if (workers >= 0) return `workers ${workers}`;
        const pending = timers.indexOf(value as Delayed);
        if (pending >= 0) return `timer ${pending}`;
        return value instanceof Delayed ? "timer over" : undefined;
      },
      objectOf: (link): object | undefined => {
        const [kind, name = ""] = String(link).split(" ");
        if (kind === "rewind") return internals(this.#room).allowRewindState();
        if (kind === "inputs") return this.#parts.inputs.api;
        if (kind === "workers") return this.#parts.work.handleAt(Number(name));
        if (kind === "client")
          return this.#room.clients.getById(name) ?? this.#activity.reconnecting.get(name)?.client;
        return timers[Number(name)] ?? this.#timerOver();
      },
    };
  }

  /** As a field holds it whose timer has fired: it can be cleared again. */
  #timerOver(): Delayed {
    const timer = this.#room.clock.setTimeout(() => undefined, 0);
    timer.clear();
    return timer;
  }

  /** Said once: it would be said at every save. */
  #leftOut(what: string): void {
    if (this.#told.has(what)) return;
    this.#told.add(what);
    this.#notice(`room ${this.#room.roomId} moves and is restored without something: ${what}`);
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
    const { inputs, rewind, streams } = this.#parts;
    this.#clock.set(record.clock);
    inputs.importTimeline(record.timeline);
    const timers = importTimers(this.#room, this.#declared, record.clock.timers);
    this.#room.maxClients = record.maxClients;
    for (const session of record.sessions) {
      const client = this.#sessions.client(session);
      client._pendingFrameClients = this.#restoredPending;
      await this.#occupy(client, session.input);
      clients.set(session.sessionId, client);
    }
    for (const seat of record.seats)
      await room._reserveSeat(seat.sessionId, seat.options, uncarry(seat.auth));
    if (record.metadata !== undefined) await this.#room.setMetadata(record.metadata as never);
    // The other way round, too: its onCreate(), which has run again here, may say what it said at first.
    await this.#room.setPrivate(record.isPrivate);
    if (record.isUnlisted !== undefined) await this.#room.setMatchmaking({ unlisted: record.isUnlisted });
    if (record.locked) await this.#room.lock();
    if (record.patchRateMs !== this.#room.patchRate) this.#room.patchRate = record.patchRateMs;
    this.#room.autoDispose = record.autoDispose;
    // Setting it starts a timer of a second, during which a room that everybody leaves would not end.
    if (clients.size > 0) stopAutoDisposeTimer(room);
    streams.import(record.streams ?? [], this.encoder, [...clients.values()]);
    rewind.import(record.rewind, this.encoder, () => room.allowRewindState());
    await this.#setUp.import(record.setUp);
    writePlainFields(this.#room, this.encoder, this.#links(timers), record.plain);
    this.#hook("onThaw", () => room.onThaw?.(uncarry(record.extra)));
    // A simulation that was set up again begins to count anew.
    this.#clock.set(record.clock);
    for (const { sessionId, unanswered = [] } of record.sessions)
      for (const frame of unanswered) clients.get(sessionId)?.link.emit("message", Buffer.from(frame));
    return clients;
  }

  /** Takes a seat for a client that joined elsewhere: counted like any other, without onJoin. */
  async #occupy(client: MovableClient, input: InputRecord | undefined): Promise<void> {
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
    stopAutoDisposeTimer(room);
    room.clients.push(client.asClient());
    this.#wire(client);
    room._events.emit("join", client.asClient());
    this.#parts.inputs.import(client, input);
    if (input === undefined || input.queued.length === 0) return;
    this.#parts.backlog.begin();
    for (const frame of input.queued) client.link.emit("message", Buffer.from(frame));
  }
}

function stopAutoDisposeTimer(room: RoomInternals): void {
  clearTimeout(room._autoDisposeTimeout);
  room._autoDisposeTimeout = undefined;
}
