/** Room types and seats on this process, through Colyseus' match maker (its only user beside movable-room). */
import { CentroidError, type SeatRequest } from "@centroid/protocol";
import { createAuthContext, LocalDriver, LocalPresence, matchMaker, Room } from "@colyseus/core";
import { type Activity, unwatched } from "../activity/activity.js";
import { type MovableRoom, movable } from "./movable-room.js";
import type { PresenceBus } from "./room-presence.js";

type RoomClass = new () => Room;

export class RoomTypes {
  readonly #classes: Map<string, RoomClass>;

  private constructor(classes: Map<string, RoomClass>) {
    this.#classes = classes;
  }

  /** Sets the match maker of this process up and defines the author's room types, each made movable. */
  static async define(
    types: Record<string, RoomClass>,
    bus: PresenceBus,
    activity: Activity = unwatched,
  ): Promise<RoomTypes> {
    matchMaker.setHealthChecksEnabled(false);
    await matchMaker.setup(new LocalPresence(), new LocalDriver());
    for (const [name, klass] of Object.entries(types)) {
      if (!(klass?.prototype instanceof Room)) {
        throw new CentroidError(
          "CONFIG_INVALID",
          `room "${name}" is not a class that extends Room from @colyseus/core`,
        );
      }
      matchMaker.defineRoomType(name, movable(klass, bus, activity) as never);
    }
    await matchMaker.accept();
    return new RoomTypes(new Map(Object.entries(types)));
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

/** What the author's static onAuth says of a player: `true` if there is none. */
export type Auth = unknown;

/** Asks the author's static onAuth. @throws CentroidError UNAUTHORIZED */
export async function authenticate(klass: RoomClass, seat: SeatRequest): Promise<Auth> {
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
    throw new CentroidError("UNAUTHORIZED", cause instanceof Error ? cause.message : "onAuth failed", {
      cause,
    });
  }
  if (auth === false || auth === undefined || auth === null)
    throw new CentroidError("UNAUTHORIZED", "onAuth refused this player");
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

/** Whose seat this token holds. @throws CentroidError SEAT_EXPIRED */
export function checkReconnection(room: MovableRoom, reconnectionToken: string): string {
  const sessionId = room.checkReconnectionToken(reconnectionToken);
  if (sessionId === undefined)
    throw new CentroidError("SEAT_EXPIRED", "this reconnection token is not valid any more; join again");
  return sessionId;
}

/** Colyseus gives up a seat that nobody took without telling anyone; what is kept of its owner goes here. */
export function forgetUntaken(seats: Map<string, unknown>, room: MovableRoom): void {
  const known = room.move.sessionIds();
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
