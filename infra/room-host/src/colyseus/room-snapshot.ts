/** A movable room taken apart and put together: all of it but its state graph. */
import { CentroidError } from "@centroid/protocol";
import { type Client, type ClientPrivate, ClientState, type Delayed, type Room } from "@colyseus/core";
import type { Encoder, Schema, StateView } from "@colyseus/schema";
import { IncomingValues, OutgoingValues } from "../values/carried-values.js";
import { internals, type RoomInternals } from "./core-internals.js";
import type { InputBacklog } from "./input-backlog.js";
import type { InputRecord, RoomInputs } from "./inputs.js";
import type { LateSetUp, LateSetUpRecord } from "./late-set-up.js";
import type { MovableClient } from "./movable-client.js";
import { privateFields, readPlainFields, writePlainFields } from "./plain-fields.js";
import type { RoomRewind } from "./rewind.js";
import type { RoomActivity } from "./room-activity.js";
import type { RoomClock } from "./room-clock.js";
import { RoomLinks } from "./room-links.js";
import type { HeardMessages } from "./room-presence.js";
import type { CarriedRoom } from "./room-record.js";
import { readSettings, writeSettings } from "./room-settings.js";
import type { RoomWork } from "./room-work.js";
import type { RoomStreams } from "./schema/streams.js";
import { buildViews, OutgoingViews } from "./schema/views.js";
import { type PlayerOf, SessionRecords } from "./session-records.js";
import { exportTimers, giveArguments, importTimers, nameMethodTimers } from "./timers.js";

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
  heard: HeardMessages;
  /** Of the room as it is now. */
  epoch: () => number;
  toldOfClass: Set<string>;
  /** Hears of a timer that stands in the way of a move, when it is set. */
  onLateClosure: (explained: string) => void;
  /** What the link of a client says reaches the room from now on. */
  wire: (client: MovableClient) => void;
}

export class RoomSnapshot {
  readonly #room: Room;
  readonly #clock: RoomClock;
  readonly #activity: RoomActivity;
  readonly #setUp: LateSetUp;
  readonly #wire: (client: MovableClient) => void;
  readonly #parts: Pick<SnapshotOptions, "inputs" | "backlog" | "rewind" | "streams" | "heard" | "work">;
  readonly #sessions: SessionRecords;
  readonly #restoredPending: (Client & ClientPrivate)[] = [];
  #declared: Delayed[] = [];
  #playerOf: PlayerOf = () => undefined;
  #notice: (line: string) => void = () => undefined;
  readonly #told = new Set<string>();
  readonly #toldOfClass: Set<string>;
  readonly #onLateClosure: (explained: string) => void;

  constructor({ room, clock, activity, setUp, wire, toldOfClass, onLateClosure, ...parts }: SnapshotOptions) {
    this.#parts = parts;
    this.#sessions = new SessionRecords({
      activity,
      ...parts,
      playerOf: (sessionId) => this.#playerOf(sessionId),
    });
    this.#room = room;
    this.#clock = clock;
    this.#activity = activity;
    this.#setUp = setUp;
    this.#wire = wire;
    this.#toldOfClass = toldOfClass;
    this.#onLateClosure = onLateClosure;
  }

  get encoder(): Encoder<Schema> | undefined {
    return internals(this.#room)._serializer.encoder;
  }

  /** To be called when `onCreate` has returned: timers from before move by their order. */
  created(): void {
    this.#declared = [...this.#room.clock.delayed];
    nameMethodTimers(this.#room, this.#onLateClosure);
  }

  /** Who its players are from now on, and who hears what is not carried. */
  adopted(playerOf: PlayerOf, notice: (line: string) => void): void {
    this.#playerOf = playerOf;
    this.#notice = notice;
    if (internals(this.#room).onFreeze !== undefined) return;
    const hidden = privateFields(this.#room, this.encoder).join(", ");
    if (hidden === "" || this.#toldOfClass.has(hidden)) return;
    this.#toldOfClass.add(hidden);
    this.#leftOut(`${hidden}: nobody outside of the class can read it; carry it in onFreeze()`);
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
    this.#assertState();
    const [closure] = this.#closures();
    if (closure !== undefined && room.onThaw === undefined)
      throw new CentroidError("ROOM_NOT_MOVABLE", closure);
    this.export();
  }

  /** A state that is no Schema is carried like a field. */
  #assertState(): void {
    const state: unknown = this.#room.state ?? undefined;
    if (state === undefined || this.encoder !== undefined) return;
    if (Object.getPrototypeOf(state) === Object.prototype) return;
    throw new CentroidError(
      "ROOM_NOT_MOVABLE",
      "only Schema states and plain objects can be moved; define the state with schema()",
    );
  }

  /**
   * That what the author's hooks give can go to another host, asked when the room is made and not at its first move.
   * What onFreeze() throws before there is anything to carry is no answer.
   * @throws CentroidError ROOM_NOT_MOVABLE
   */
  assertHooks(): void {
    this.#assertState();
    let extra: unknown;
    try {
      extra = internals(this.#room).onFreeze?.();
    } catch {
      return;
    }
    if (extra instanceof Promise) extra.catch(() => undefined);
    new OutgoingValues(this.#links([], undefined, [])).add(extra, "what onFreeze() returned");
  }

  /**
   * Reads all but the state graph. Only while held, or between two handlers of the room.
   * @param saves to be restored if the host dies, which cuts whatever waits in two: that is better than to save nothing
   */
  export({ saves = false }: { saves?: boolean } = {}): CarriedRoom {
    const room = internals(this.#room);
    const cut: string[] = [];
    const onWait = (why: string): void => void cut.push(why);
    const timers = exportTimers(this.#room, this.#declared, saves ? onWait : undefined);
    const views = this.encoder && new OutgoingViews(this.encoder);
    const placeOf = (view: StateView): number | undefined => views?.placeOf(view);
    const values = new OutgoingValues(
      this.#links(
        timers.map(({ timer }) => timer),
        placeOf,
        [],
      ),
    );
    const onLeftOut = (field: string, why: string): void => this.#leftOut(`${field}: ${why}`);
    const outgoing = { values, placeOf, onLeftOut };
    for (const why of cut) this.#leftOut(why);
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
      ...present.map((client) => this.#sessions.read(client as unknown as MovableClient, false, outgoing)),
      ...away.map((client) => this.#sessions.read(client as unknown as MovableClient, true, outgoing)),
    ];
    const { inputs, rewind, streams } = this.#parts;
    const sending = streams.export(this.encoder, [...present, ...away] as unknown as MovableClient[]);
    const timeline = inputs.exportTimeline();
    const buffers = rewind.export(this.encoder);
    const fresh = Object.entries(room._reservedSeats).filter(([, seat]) => !seat[2] && !seat[3]);
    return {
      heap: values.heap,
      views: views?.records ?? [],
      clock: {
        ...this.#clock.export(),
        ...(cut.length > 0 && { cut: true }),
        timers: timers.map(({ record, args }) => ({
          ...record,
          args: values.add(args, `what the timer of ${record.timeMs} ms is given`),
        })),
      },
      ...readSettings(this.#room),
      sessions,
      seats: fresh.map(([sessionId, [options, auth]]) => ({
        sessionId,
        options,
        auth: values.add(auth, `auth of session ${sessionId}`),
        ...this.#sessions.ownerOf(sessionId),
      })),
      ...(timeline !== undefined && { timeline }),
      ...(buffers !== undefined && { rewind: buffers }),
      ...(sending.length > 0 && { streams: sending }),
      setUp: this.#setUp.export(),
      takenBack: this.#setUp.exportTakenBack(),
      heard: this.#parts.heard.export(),
      plain: readPlainFields(this.#room, this.encoder, values, onLeftOut),
      extra: values.add(
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

  #links(
    timers: readonly (Delayed | undefined)[],
    placeOf: ((view: StateView) => number | undefined) | undefined,
    views: readonly StateView[],
  ): RoomLinks {
    return new RoomLinks({
      room: this.#room,
      encoder: this.encoder,
      inputs: this.#parts.inputs,
      work: this.#parts.work,
      activity: this.#activity,
      timers,
      placeOf: placeOf ?? (() => undefined),
      views,
    });
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
    const timers = importTimers(this.#room, this.#declared, record.clock.timers, record.clock.cut === true);
    const views = this.encoder === undefined ? [] : buildViews(record.views, this.encoder);
    // There may be more of them than may come now.
    this.#room.maxClients = Number.POSITIVE_INFINITY;
    for (const session of record.sessions) {
      const client = this.#sessions.client(session, views);
      client._pendingFrameClients = this.#restoredPending;
      await this.#occupy(client, session.input);
      clients.set(session.sessionId, client);
    }
    streams.import(record.streams ?? [], this.encoder, [...clients.values()]);
    rewind.import(record.rewind, this.encoder, () => room.allowRewindState());
    this.#parts.heard.import(record.heard);
    this.#setUp.takeBack(record.takenBack);
    await this.#setUp.import(record.setUp);
    const values = new IncomingValues(record.heap, this.#links(timers, undefined, views));
    giveArguments(timers, record.clock.timers, values);
    for (const session of record.sessions) {
      const client = clients.get(session.sessionId);
      if (client !== undefined) this.#sessions.give(client, session, values);
    }
    for (const seat of record.seats)
      await room._reserveSeat(seat.sessionId, seat.options, values.get(seat.auth));
    await writeSettings(this.#room, record);
    // Setting it starts a timer of a second, during which a room that everybody leaves would not end.
    if (clients.size > 0) stopAutoDisposeTimer(room);
    writePlainFields(this.#room, this.encoder, values, record.plain);
    this.#hook("onThaw", () => room.onThaw?.(values.get(record.extra)));
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
