/**
 * Makes an author's Colyseus room movable: it can be held between two ticks, taken apart, put together
 * elsewhere and resumed there, without the author's code knowing.
 */
import { CentroidError, type ErrorCode } from "@centroid/protocol";
import { HOST_TRAVEL, HOST_WORKERS, type HostTravel, type HostWorkers, type RoomMarks } from "@centroid/room";
import {
  type Client,
  ClientState,
  ErrorCode as ColyseusCode,
  matchMaker,
  type Rewind,
  Room,
} from "@colyseus/core";
import { type Activity, type Label, UNNAMED } from "../activity/activity.js";
import { RoomResources } from "../activity/room-resources.js";
import type { WorkerPools } from "../workers/worker-pools.js";
import type { RoomInternals } from "./core-internals.js";
import type { DeploymentAccess } from "./deployment-matchmaker.js";
import type { InputTimeline } from "./inputs.js";
import type { MovableClient } from "./movable-client.js";
import { presenceKeys } from "./presence-keys.js";
import { RoomMove } from "./room-move.js";
import { type PresenceBus, roomPresence } from "./room-presence.js";
import { RoomTravel } from "./room-travel.js";

export const isReplicated = (room: Room): boolean => (room.constructor as RoomMarks).replicated === true;
export const isDeterministic = (room: Room): boolean =>
  (room.constructor as RoomMarks).deterministic === true;

type RoomClass = new () => Room;
/** Colyseus' default for setFixedTimestep (1000 / 16.6 ms, rounded). */
const DEFAULT_TICK_RATE = 60;

/** Called by a held room's overridden methods; one per room. */
export interface MovableRoom extends Room {
  readonly move: RoomMove;
}

/** What the rooms of a process have in common. */
export interface MovableOptions {
  bus: PresenceBus;
  activity: Activity;
  /** Ids of rooms that are being built again: `onCreate` may not give those another. */
  rebuilding: ReadonlySet<string>;
  pools: WorkerPools;
  /** Asks the whole deployment, if there is more than this process. */
  ask: DeploymentAccess["ask"] | undefined;
}

/** Wraps an author's class. The author's `instanceof`, statics and methods stay as they are. */
export function movable(
  author: RoomClass,
  { bus, activity, rebuilding, pools, ask }: MovableOptions,
): RoomClass {
  const Base = author as unknown as new () => Room &
    RoomInternals &
    Record<string, (...args: never[]) => unknown>;
  const { _timelineMode } = Room.prototype as unknown as RoomInternals;
  const toldOfClass = new Set<string>();
  class Movable extends (Base as unknown as RoomClass) {
    readonly move = new RoomMove(this, pools, toldOfClass, activity.owner ?? new RoomResources());
    /** By which it is known what of the room runs. */
    readonly #labels = new Map<string, Label>();

    constructor() {
      super();
      // When its onDispose() is through.
      this.move.events.once("disconnect", () => activity.forget(this.#labels.values()));
      if (_timelineMode.call(this as never) !== undefined) this.allowRewindState();
      const runs = (): boolean => !rebuilding.has(super.roomId) && !this.move.follows && !this.move.passive;
      const presence = roomPresence(
        bus,
        this.move.heard,
        (run) => this.move.events.once("dispose", run),
        () => this.roomId,
        runs,
        presenceKeys({ ask, mayChange: runs }),
        (topic, callback) => this.move.setUp.add({ kind: "subscription", name: topic }, callback),
      );
      // Colyseus gives it one of this process when the room is made.
      Object.defineProperty(this, "presence", { get: () => presence, set: () => undefined });
    }

    get [HOST_WORKERS](): HostWorkers {
      return this.move.work;
    }

    get [HOST_TRAVEL](): HostTravel {
      return new RoomTravel({
        room: this,
        activity: this.move.activity,
        ask,
        speaks: () => !this.move.follows,
      });
    }

    override get roomId(): string {
      return super.roomId;
    }

    override set roomId(roomId: string) {
      if (!rebuilding.has(super.roomId)) super.roomId = roomId;
    }

    override setSerializer(...[serializer]: Parameters<Room["setSerializer"]>): void {
      super.setSerializer(serializer);
      // Called by the author's constructor, this is not built yet.
      (this as { move?: RoomMove }).move?.serialized();
    }

    override setTimestep(step?: (deltaMs: number) => void, delayMs?: number): void {
      const { move } = this;
      const late = move.setUp.add(
        { kind: "timestep", delayMs, stopped: step === undefined },
        step ?? (() => undefined),
      );
      if (step !== undefined) step = late.handler;
      const watched = step && this.#watched(step, "the simulation");
      const guarded =
        watched && ((deltaMs: number): void => void (move.clock.standsStill() || watched(deltaMs)));
      move.clock.simulate({
        arm: () => super.setTimestep(guarded, delayMs),
        stepNow: () => {
          this.clock.tick();
          guarded?.(this.clock.deltaTime);
        },
      });
    }

    override setFixedTimestep(...[step, rate, options]: Parameters<Room["setFixedTimestep"]>): void {
      const { move } = this;
      const { handler } = move.setUp.add({ kind: "fixed-timestep", rate, subSteps: options?.subSteps }, step);
      const watched = this.#watched(handler, "the simulation");
      const stepMs = 1000 / (rate ?? DEFAULT_TICK_RATE);
      const counted: typeof step = (context) => {
        move.clock.steps.taken(stepMs);
        if (move.clock.standsStill()) return;
        watched(Object.assign(context, { tick: move.clock.steps.next() }));
        move.backlog.stepped();
      };
      move.clock.simulate({ arm: () => super.setFixedTimestep(counted, rate, options), stepMs });
    }

    override allowRewindState(...args: Parameters<Room["allowRewindState"]>): Rewind {
      const rewind = super.allowRewindState(...args);
      // Called by the author's constructor, this is not built yet.
      (this as { move?: RoomMove }).move?.rewind.follow(rewind);
      return rewind;
    }

    override broadcastPatch(): boolean {
      if (this.move.clock.standsStill()) return false;
      const changed = super.broadcastPatch();
      this.move.patches.sent(changed);
      return changed;
    }

    override onMessage(...args: never[]): never {
      const call = super.onMessage as unknown as (...a: unknown[]) => never;
      return this.#registered("message", call, args);
    }

    /** The same function; while it runs it is known which room's it is. */
    #watched<A extends unknown[], T>(run: (...args: A) => T, what: string): (...args: A) => T {
      let label: Label | undefined;
      return (...args) => {
        label ??= this.#label(what);
        return activity.run(label, "", () => run(...args), this.move.resources);
      };
    }

    #label(what: string): Label {
      const label = this.#labels.get(what) ?? activity.label(this.roomId, what);
      this.#labels.set(what, label);
      return label;
    }

    override onMessageBytes(...args: never[]): never {
      const call = super.onMessageBytes as unknown as (...a: unknown[]) => never;
      return this.#registered("message", call, args);
    }

    #registered(
      kind: "message" | "bytes",
      call: (...a: unknown[]) => unknown,
      all: readonly unknown[],
    ): never {
      const args = all.filter((it, i) => i < 2 || it !== undefined);
      const given = args[args.length - 1] as (...a: unknown[]) => unknown;
      const what = { kind, name: String(args[0]), ...(args.length > 2 && { validated: true }) };
      const { handler, remove, undoneBy } = this.move.setUp.add(what, given);
      const off = call.call(this, ...this.#tracked([...args.slice(0, -1), handler])) as () => void;
      undoneBy(off);
      return (() => {
        remove();
        off();
      }) as never;
    }

    /** The same arguments with a handler, the last of them, of which it is known whether it still runs. */
    #tracked(args: readonly unknown[]): unknown[] {
      const handler = args[args.length - 1] as (...a: unknown[]) => unknown;
      const { move } = this;
      // Colyseus calls with client, message and, for "*", type first: never more than three.
      const what = `message "${String(args[0])}"`;
      let label: Label | undefined;
      const counted = (a: unknown, b: unknown, c: unknown): unknown => {
        label ??= this.#label(what);
        const handle = (): unknown => move.activity.track(handler(a, b, c));
        return activity.run(label, (a as Client).sessionId, handle, move.resources);
      };
      return [...args.slice(0, -1), counted];
    }

    override allowReconnection(
      client: Client,
      seconds: number | "manual",
    ): ReturnType<Room["allowReconnection"]> {
      const deferred = super.allowReconnection(client, seconds);
      this.move.activity.hold(client, seconds, deferred);
      return deferred;
    }
  }
  const wrap = (name: "_onJoin" | "_onLeave"): void => {
    const original = (Room.prototype as unknown as RoomInternals)[name] as (
      ...a: unknown[]
    ) => Promise<unknown>;
    Object.defineProperty(Movable.prototype, name, {
      value(this: MovableRoom, client: Client, ...rest: unknown[]): Promise<unknown> {
        const run = (): Promise<unknown> => original.call(this, client, ...rest);
        const running = activity.run(UNNAMED, client.sessionId, run, this.move.resources);
        return this.move.activity.trackSession(client.sessionId, running);
      },
    });
  };
  for (const name of ["onDrop", "onLeave"] as const) {
    const hook = author.prototype[name] as Room["onLeave"];
    if (hook === undefined) continue;
    Object.defineProperty(Movable.prototype, name, {
      value(this: MovableRoom, client: Client, code?: number): unknown {
        return this.move.activity.ending(client, code, () => hook.call(this, client, code));
      },
    });
  }
  const { _onMessage } = Room.prototype as unknown as RoomInternals;
  Object.defineProperty(Movable.prototype, "_onMessage", {
    value(this: MovableRoom, client: MovableClient, frame: Buffer): void {
      const { work } = this.move;
      const joins = client.state === ClientState.JOINING;
      if (work.used) work.receiving(frame, () => _onMessage.call(this as never, client.asClient(), frame));
      else _onMessage.call(this as never, client.asClient(), frame);
      if (joins && client.state === ClientState.JOINED) client.joined();
    },
  });
  const { _flushPendingClientFrames } = Room.prototype as unknown as RoomInternals;
  Object.defineProperty(Movable.prototype, "_flushPendingClientFrames", {
    value(this: MovableRoom): void {
      _flushPendingClientFrames.call(this as never);
      this.move.snapshot.flushRestored();
    },
  });
  Object.defineProperty(Movable.prototype, "_timelineMode", {
    value(this: MovableRoom): InputTimeline {
      return this.move.inputs.timeline(() => _timelineMode.call(this as never));
    },
  });
  wrap("_onJoin");
  wrap("_onLeave");
  Object.defineProperty(Movable, "name", { value: author.name });
  return Movable;
}

/** Its clients as they are on a room host; a copy, so that they may leave while it is walked. */
export const movableClients = (room: MovableRoom): MovableClient[] => [
  ...(room.clients as unknown as MovableClient[]),
];

/** What an author's hook has thrown, with the code that players get; Colyseus' own where there is none. */
export function authorsError(code: ErrorCode, cause: unknown, otherwise: string): CentroidError {
  if (cause instanceof CentroidError) return cause;
  const { code: own } = Object(cause) as { code?: unknown };
  return new CentroidError(code, cause instanceof Error ? cause.message.slice(0, 2000) : otherwise, {
    cause,
    authorCode: typeof own === "number" && Number.isInteger(own) ? own : ColyseusCode.MATCHMAKE_UNHANDLED,
  });
}

/**
 * Builds a room on this process; `name` must be defined. Colyseus' own creation path: the room may choose another id
 * in `onCreate`, and if a room with that id is here already, that one is the answer.
 */
export async function createRoom(name: string, options: unknown, roomId: string): Promise<MovableRoom> {
  const recorded = await matchMaker
    .handleCreateRoom(name, (options ?? {}) as never, undefined, roomId)
    .catch((cause: unknown) => {
      throw authorsError("ROOM_ERROR", cause, "onCreate failed");
    });
  const room = matchMaker.getLocalRoomById(recorded.roomId) as MovableRoom | undefined;
  if (room === undefined)
    throw new CentroidError("ROOM_ERROR", `room ${roomId} was disposed while it was created`);
  room.move.created();
  return room;
}
