/** What a movable room can do beside being a room: stand still, be taken apart, be put together and go on. */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { getMessageBytes, Protocol, type Room } from "@colyseus/core";
import type { LeftBehind, RoomResources } from "../activity/room-resources.js";
import type { WorkerPools } from "../workers/worker-pools.js";
import { internals, type RoomInternals } from "./core-internals.js";
import { FirstAnswers } from "./first-answers.js";
import { InputBacklog } from "./input-backlog.js";
import { RoomInputs } from "./inputs.js";
import { LateSetUp } from "./late-set-up.js";
import type { MovableClient } from "./movable-client.js";
import { RoomRewind } from "./rewind.js";
import { RoomActivity } from "./room-activity.js";
import { RoomClock } from "./room-clock.js";
import { RoomPatches } from "./room-patches.js";
import { HeardMessages } from "./room-presence.js";
import type { SessionRecord } from "./room-record.js";
import { RoomSnapshot } from "./room-snapshot.js";
import { RoomWork } from "./room-work.js";
import { RoomStreams } from "./schema/streams.js";
import type { PlayerOf } from "./session-records.js";

interface Adoption {
  epoch: number;
  /** Asked before each step. */
  mayRun: () => boolean;
  playerOf: PlayerOf;
  /** Hears what an operator should know of the room. */
  notice: (line: string) => void;
  /** Hears, some time after the room has gone on elsewhere, what stayed here. */
  leftBehind: (left: LeftBehind) => void;
}

export class RoomMove {
  readonly #room: Room;
  readonly activity: RoomActivity;
  readonly clock: RoomClock;
  readonly setUp: LateSetUp;
  readonly inputs: RoomInputs;
  readonly backlog: InputBacklog;
  readonly rewind = new RoomRewind();
  readonly streams = new RoomStreams();
  readonly patches = new RoomPatches();
  readonly work: RoomWork;
  readonly heard: HeardMessages;
  readonly snapshot: RoomSnapshot;
  readonly resources: RoomResources;
  readonly #toldOfClass: Set<string>;

  /** Another host runs the room, and this one does the same after it. */
  follows = false;
  /** It has been built again and does not run here yet. */
  passive = false;
  /** What `onCreate` was told by other rooms, for wherever it runs again. */
  firstAnswers = new FirstAnswers();
  #created = false;
  #epoch = 0;
  #notice: (line: string) => void = () => undefined;
  #leftBehind: (left: LeftBehind) => void = () => undefined;

  /**
   * @param toldOfClass what has been said of rooms of its class, to be said once
   * @param resources what its code has opened, its constructor before this is made
   */
  constructor(room: Room, pools: WorkerPools, toldOfClass: Set<string>, resources: RoomResources) {
    this.#room = room;
    this.#toldOfClass = toldOfClass;
    this.resources = resources;
    this.activity = new RoomActivity(room);
    this.clock = new RoomClock(room);
    this.work = new RoomWork({ room, clock: this.clock, activity: this.activity, pools });
    this.heard = new HeardMessages(() => !this.clock.held);
    this.clock.onResumed(() => this.heard.resumed());
    const stays = (closure: string): void => this.#warn(closure);
    this.setUp = new LateSetUp(room, stays);
    this.inputs = new RoomInputs(room);
    this.backlog = new InputBacklog({
      clock: this.clock,
      inputs: this.inputs,
      clients: () => [...room.clients] as unknown as MovableClient[],
      now: () => performance.now(),
    });
    const wire = (client: MovableClient): void => this.wire(client);
    this.snapshot = new RoomSnapshot({
      room,
      clock: this.clock,
      activity: this.activity,
      setUp: this.setUp,
      inputs: this.inputs,
      backlog: this.backlog,
      rewind: this.rewind,
      streams: this.streams,
      work: this.work,
      heard: this.heard,
      epoch: () => this.#epoch,
      toldOfClass,
      onLateClosure: stays,
      wire,
    });
  }

  /** To be called when `onCreate` has returned. */
  created(): void {
    if (this.#created) return;
    this.#created = true;
    this.setUp.created();
    this.inputs.created();
    this.rewind.created();
    this.snapshot.created();
    this.serialized();
  }

  /** The room has a serializer that it had not: the author has given it another state. */
  serialized(): void {
    if (!this.#created) return;
    const serializer = internals(this.#room)._serializer;
    const apply = serializer.applyPatches.bind(serializer);
    serializer.applyPatches = (clients, ...rest): boolean => {
      this.patches.encoding();
      const { witness } = this.patches;
      return apply(witness === undefined ? clients : [...clients, witness], ...rest);
    };
  }

  /** Which owner of the room this host is, counted from the first; 0 until the room runs here. */
  get epoch(): number {
    return this.#epoch;
  }

  /** The room runs on this host from now on. */
  adopted({ epoch, mayRun, playerOf, notice, leftBehind }: Adoption): void {
    this.passive = false;
    this.#epoch = epoch;
    this.#leftBehind = leftBehind;
    this.clock.runsWhile(mayRun);
    this.snapshot.adopted(playerOf, notice);
    this.work.notice = notice;
    this.#notice = notice;
  }

  /** `join` and `leave`, with the client. */
  get events(): NodeJS.EventEmitter {
    return internals(this.#room)._events;
  }

  /** What its link says reaches the room from now on, as for a client that joined here. */
  wire(client: MovableClient): void {
    const room = internals(this.#room);
    const onLeave = room._onLeave.bind(room, client.asClient());
    client.ref.onleave = onLeave;
    client.ref.once("close", onLeave);
    const onMessage = room._onMessage.bind(room, client.asClient());
    const deliver = (frame: Buffer): void =>
      this.clock.inStep ? this.clock.drive(() => onMessage(frame)) : onMessage(frame);
    client.ref.on("message", (frame: Buffer) => this.backlog.take(client, frame, deliver));
    client.ref.once("close", () => this.backlog.forget(client));
  }

  /** Colyseus' answer to a client that takes its seat; the state follows when the client has confirmed it. */
  sendHandshake(client: MovableClient, skipHandshake: boolean): void {
    const serializer = internals(this.#room)._serializer;
    const handshake = skipHandshake ? undefined : serializer.handshake?.();
    const sections = this.inputs.handshakeSections();
    client.raw(
      getMessageBytes[Protocol.JOIN_ROOM](client.reconnectionToken, serializer.id, handshake, sections),
    );
  }

  /** The state as a newcomer gets it; a client that had one reconciles it with this. */
  sendWhole(client: MovableClient): void {
    if (this.#room.state === undefined) return;
    internals(this.#room).sendFullState(client.asClient());
    this.sendStreams(client);
  }

  /** What a full state leaves out, to a client that has had an unknown part of it. */
  sendStreams(client: MovableClient): void {
    const streams = this.streams.again(this.snapshot.encoder, client.view);
    if (streams !== undefined) client.raw(streams);
  }

  /**
   * A player who was away when the room moved: the seat is held for as long as it still was. An onDrop() or onLeave() that
   * waits for the player's return has to run again here, since the rest of it cannot travel.
   */
  dropAgain(client: MovableClient, { heldMs, code = CLOSE_ABNORMAL }: SessionRecord): void {
    if (heldMs !== undefined) this.activity.heldElsewhere(client.sessionId, heldMs);
    void internals(this.#room)._onLeave(client.asClient(), code);
  }

  /** The room lives elsewhere now: free everything here without telling the author's code or the players. */
  release(): void {
    const room = internals(this.#room) as RoomInternals & { onDispose?: unknown };
    this.clock.hold();
    Object.defineProperty(room, "onDispose", { value: undefined });
    for (const timeout of Object.values(room._reservedSeatTimeouts)) clearTimeout(timeout);
    // A lobby must not take it for gone.
    room._listing.unlisted = true;
    // Loops of the author's that go on while somebody is here end.
    room.clients.length = 0;
    room._events.emit("dispose");
    stopNativeTimers(room);
    this.resources.leave((left) => this.#stayed(left));
    this.#movedAway(room);
  }

  #stayed(left: LeftBehind): void {
    this.#leftBehind(left);
    const { timers, open } = left;
    const found = [
      ...(timers > 0 ? [`${timers} timer${timers === 1 ? "" : "s"}, stopped by now`] : []),
      ...(open.length > 0 ? [`${open.join(", ")}, still open`] : []),
    ].join("; ");
    this.#warn(
      `it has left behind what its code opened here: ${found}; end it in onMovedAway(), and begin what rooms share when the module loads`,
      "left behind",
    );
  }

  /** Once for rooms of a class. */
  #warn(what: string, kind = what): void {
    if (this.#toldOfClass.has(kind)) return;
    this.#toldOfClass.add(kind);
    this.#notice(`room ${this.#room.roomId}: ${what}`);
  }

  #movedAway(room: RoomInternals & { onDispose?: unknown }): void {
    const failed = (cause: unknown): void =>
      this.#notice(`onMovedAway() of room ${this.#room.roomId} threw: ${String(cause)}`);
    if (room.onMovedAway === undefined) {
      if (Object.getPrototypeOf(room).onDispose !== undefined)
        this.#notice(
          `room ${this.#room.roomId} has moved away; what its onDispose() would close stays open here: add onMovedAway()`,
        );
      return;
    }
    try {
      Promise.resolve(room.onMovedAway()).catch(failed);
    } catch (cause) {
      failed(cause);
    }
  }
}

/** Timers of Node that the room holds in fields of its own, alone or in an array, a map or a set. */
function stopNativeTimers(room: object): void {
  for (const value of Object.values(room)) {
    const held: Iterable<unknown> =
      value instanceof Map ? value.values() : Array.isArray(value) || value instanceof Set ? value : [value];
    for (const timer of held) {
      const name = (timer as { constructor?: { name?: string } } | null)?.constructor?.name;
      if (name === "Timeout") clearTimeout(timer as NodeJS.Timeout);
      else if (name === "Immediate") clearImmediate(timer as NodeJS.Immediate);
    }
  }
}
