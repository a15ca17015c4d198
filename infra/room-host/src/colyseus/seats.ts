/** Room types and seats on this process, through Colyseus' match maker (its only user beside movable-room). */
import { AsyncLocalStorage } from "node:async_hooks";
import { CentroidError, type RoomQuestion, type SeatRequest } from "@centroid/protocol";
import {
  createAuthContext,
  LocalDriver,
  LocalPresence,
  matchMaker,
  RegisteredHandler,
  Room,
  type Server,
} from "@colyseus/core";
import { prepareServices as prepare } from "@colyseus/core/internal";
import { type Activity, UNNAMED, unwatched } from "../activity/activity.js";
import { RoomResources } from "../activity/room-resources.js";
import { WorkerPools } from "../workers/worker-pools.js";
import { internals } from "./core-internals.js";
import {
  DEPLOYMENT,
  type DeploymentAccess,
  DeploymentDriver,
  DeploymentPresence,
} from "./deployment-matchmaker.js";
import { type FirstAnswer, FirstAnswers } from "./first-answers.js";
import { authorsError, createRoom, type MovableRoom, movable } from "./movable-room.js";
import type { PresenceBus } from "./room-presence.js";

type RoomClass = new () => Room;
/** What a file of rooms exports: a class, or one with options, filters and order (Colyseus' `defineRoom`). */
export type RoomDefinition = RoomClass | RegisteredHandler;

export class RoomTypes {
  readonly #classes: Map<string, RoomClass>;
  readonly #rebuilding: Set<string>;
  readonly #activity: Activity;
  /** Of the room whose `onCreate` is running. */
  readonly #creating: AsyncLocalStorage<FirstAnswers>;

  private constructor(
    classes: Map<string, RoomClass>,
    rebuilding: Set<string>,
    activity: Activity,
    creating: AsyncLocalStorage<FirstAnswers>,
  ) {
    this.#classes = classes;
    this.#rebuilding = rebuilding;
    this.#activity = activity;
    this.#creating = creating;
  }

  /**
   * Sets the match maker of this process up and defines the author's room types, each made movable.
   * @param deployment where rooms find those of other processes; without it they find their own only
   * @param workerFiles in a sandbox, where copies of workers' files are
   */
  static async define(
    types: Record<string, RoomDefinition>,
    bus: PresenceBus,
    activity: Activity = unwatched,
    deployment?: DeploymentAccess,
    workerFiles?: string,
  ): Promise<RoomTypes> {
    const creating = new AsyncLocalStorage<FirstAnswers>();
    matchMaker.setHealthChecksEnabled(false);
    if (deployment === undefined) await matchMaker.setup(new LocalPresence(), new LocalDriver());
    else {
      const { ask } = deployment;
      const asking = (question: RoomQuestion): Promise<unknown> =>
        creating.getStore()?.answer(question, ask) ?? ask(question);
      await matchMaker.setup(
        new DeploymentPresence({ ...deployment, ask: asking }, bus),
        new DeploymentDriver(deployment),
        deployment.address,
        async () => DEPLOYMENT,
      );
    }
    const classes = new Map<string, RoomClass>();
    const rebuilding = new Set<string>();
    const pools = new WorkerPools(workerFiles);
    for (const [name, definition] of Object.entries(types)) {
      const handler =
        definition instanceof RegisteredHandler
          ? definition
          : new RegisteredHandler(roomClass(name, definition));
      const klass = roomClass(name, handler.klass);
      classes.set(name, klass);
      handler.name = name;
      handler.klass = movable(klass, { bus, activity, rebuilding, pools, ask: deployment?.ask }) as never;
      matchMaker.addRoomType(handler);
    }
    await matchMaker.accept();
    return new RoomTypes(classes, rebuilding, activity, creating);
  }

  /** Builds a room; what its constructor and its `onCreate` open is its own. */
  create(name: string, options: unknown, roomId: string): Promise<MovableRoom> {
    return this.#build(name, options, roomId, new FirstAnswers());
  }

  async #build(name: string, options: unknown, roomId: string, answers: FirstAnswers): Promise<MovableRoom> {
    const build = (): Promise<MovableRoom> => createRoom(name, options, roomId);
    const room = await this.#creating.run(answers, () =>
      this.#activity.run(UNNAMED, "", build, new RoomResources()),
    );
    answers.over();
    room.move.firstAnswers = answers;
    return room;
  }

  /**
   * Builds a room that was elsewhere before: under the id it has, whatever its `onCreate` says.
   * @param answers what that was told the first time
   */
  async rebuild(
    name: string,
    options: unknown,
    roomId: string,
    answers: readonly FirstAnswer[] = [],
  ): Promise<MovableRoom> {
    this.#rebuilding.add(roomId);
    try {
      const room = await this.#build(name, options, roomId, new FirstAnswers(answers));
      room.move.passive = true;
      return room;
    } finally {
      this.#rebuilding.delete(roomId);
    }
  }

  get names(): string[] {
    return [...this.#classes.keys()];
  }

  /** The author's class. @throws CentroidError ROOM_TYPE_UNKNOWN */
  require(name: string): RoomClass {
    const found = this.#classes.get(name);
    if (found !== undefined) return found;
    throw new CentroidError(
      "ROOM_TYPE_UNKNOWN",
      `no room type "${name}"; this host has ${this.names.join(", ") || "none"}`,
    );
  }
}

/** Runs what a server does before it listens: its `beforeListen`, its database. */
export async function prepareServices(server: Server): Promise<void> {
  await prepare(server, true);
}

/** @throws CentroidError CONFIG_INVALID */
function roomClass(name: string, value: unknown): RoomClass {
  if (typeof value === "function" && value.prototype instanceof Room) return value as RoomClass;
  throw new CentroidError(
    "CONFIG_INVALID",
    `room "${name}" is not a class that extends Room from @colyseus/core`,
  );
}

/** What the author's static onAuth says of a player: `true` if there is none. */
export type Auth = unknown;

/** Asks the author's static onAuth, unless another room answers for the player. @throws CentroidError UNAUTHORIZED */
export async function authenticate(klass: RoomClass, seat: SeatRequest): Promise<Auth> {
  if (seat.sent !== undefined) return seat.sent.auth ?? true;
  const { onAuth } = klass as unknown as typeof Room;
  if (onAuth === Room.onAuth) return true;
  const { authToken: token = "", options, request } = seat;
  const context = createAuthContext({
    token,
    headers: new Headers(request?.headers),
    ...(request !== undefined && { remoteAddress: request.address }),
  });
  let auth: unknown;
  try {
    auth = await onAuth.call(klass, token, options, context);
  } catch (cause) {
    throw authorsError("UNAUTHORIZED", cause, "onAuth failed");
  }
  if (auth === false || auth === undefined || auth === null)
    throw new CentroidError("UNAUTHORIZED", "onAuth failed");
  return auth;
}

/** @throws CentroidError ROOM_FULL */
export async function reserveSeat(room: MovableRoom, seat: SeatRequest, auth: Auth): Promise<void> {
  const reserve = (
    room as unknown as { _reserveSeat(id: string, options: unknown, auth: unknown): Promise<boolean> }
  )._reserveSeat;
  const { sessionId, options } = seat;
  if (!(await reserve.call(room, sessionId, options ?? {}, auth === true ? undefined : auth))) {
    throw new CentroidError("ROOM_FULL", `room ${room.roomId} has no free seat`);
  }
}

/** The broker may not have heard yet that the room is private or locked. @throws CentroidError ROOM_LOCKED */
export function assertJoinable(room: MovableRoom, via: "search" | "id" | undefined): void {
  if (via === undefined) return;
  if (room.locked) throw new CentroidError("ROOM_LOCKED", `room "${room.roomId}" is locked`);
  if (via === "search" && internals(room)._listing.private)
    throw new CentroidError("ROOM_LOCKED", `room "${room.roomId}" is private`);
}

/**
 * Calls a method of the room, or reads a property, as Colyseus' remoteRoomCall does: between processes everything is what
 * JSON makes of it.
 */
export async function callRoom(
  room: MovableRoom,
  member: string,
  args: readonly unknown[] | undefined,
): Promise<unknown> {
  const text = JSON.stringify(await memberOf(room, member, args)) as string | undefined;
  return text === undefined ? undefined : JSON.parse(text);
}

async function memberOf(
  room: MovableRoom,
  member: string,
  args: readonly unknown[] | undefined,
): Promise<unknown> {
  const value = (room as unknown as Record<string, unknown>)[member];
  if (args === undefined && typeof value !== "function") return value;
  if (typeof value !== "function")
    throw new CentroidError("BAD_REQUEST", `room ${room.roomId} has no method "${member}"`);
  return value.apply(room, args ?? []);
}

/** Whose seat this token holds. @throws CentroidError SEAT_EXPIRED */
export function checkReconnection(room: MovableRoom, reconnectionToken: string): string {
  const sessionId = room.checkReconnectionToken(reconnectionToken);
  if (sessionId === undefined)
    throw new CentroidError("SEAT_EXPIRED", "reconnection token invalid or expired.");
  return sessionId;
}

/** Colyseus gives up a seat that nobody took without telling anyone; what is kept of its owner goes here. */
export function forgetUntaken(seats: Map<string, unknown>, room: MovableRoom): void {
  const known = room.move.activity.sessionIds();
  for (const sessionId of seats.keys()) if (!known.has(sessionId)) seats.delete(sessionId);
}

export async function disposeRoom(room: MovableRoom): Promise<void> {
  await room.disconnect();
}

/**
 * As Colyseus does when its process ends: `onBeforeShutdown` (by default it disconnects everybody, with close code
 * 4001), `onLeave` for each player, `onDispose`. Resolves when the last of them is through.
 */
export async function shutDownRoom(room: MovableRoom): Promise<void> {
  const ended = new Promise<void>((resolve) => room.move.events.once("disconnect", resolve));
  await room.lock();
  room.onBeforeShutdown();
  await ended;
}
