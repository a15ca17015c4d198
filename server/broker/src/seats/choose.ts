/** Which room a joiner gets, as far as this broker knows: one that is there, or a new one. Changes nothing. */
import { CentroidError, type MatchmakeMethod } from "@centroid/protocol";
import { isFull, type RoomEntry, type RoomRegistry, seatsTaken } from "../rooms/room-registry.js";
import { compare, meets } from "./criteria.js";

/** Open rooms of a type that are compared by distance; the others are newer. */
const MAX_COMPARED = 16;

export type SeatMethod = Exclude<MatchmakeMethod, "reconnect">;

/** What is to be done for a joiner: take a seat in a room that is there, or have one made. */
export type SeatPlan =
  /** `byDistance`: there are others as good at hosts elsewhere. */
  { type: "existing"; room: RoomEntry; byDistance: boolean } | { type: "new"; name: string };

export interface SeatWish {
  method: SeatMethod;
  /** Room type, or room id for `joinById`. */
  target: string;
  options: Record<string, unknown>;
  /** Rooms whose hosts have refused this joiner. */
  refused: ReadonlySet<string>;
  /** Of the joiner to a host. */
  rttMs: (hostId: string) => number;
}

/** @throws CentroidError ROOM_NOT_FOUND | ROOM_LOCKED | ROOM_FULL */
export function choose(rooms: RoomRegistry, wish: SeatWish): SeatPlan {
  const { method, target } = wish;
  switch (method) {
    case "create":
      return { type: "new", name: target };
    case "join": {
      const best = bestOpen(rooms, wish);
      if (best === undefined)
        throw new CentroidError("ROOM_NOT_FOUND", "no rooms found with provided criteria");
      return { type: "existing", ...best };
    }
    case "joinOrCreate": {
      const best = bestOpen(rooms, wish);
      return best === undefined ? { type: "new", name: target } : { type: "existing", ...best };
    }
    case "joinById": {
      const room = rooms.get(target);
      if (room === undefined) throw new CentroidError("ROOM_NOT_FOUND", `room "${target}" not found`);
      // Whether it is locked its host knows: word that it was unlocked may still be on its way here.
      if (isFull(room) && room.stage.state !== "creating" && room.stage.state !== "restoring") {
        if (room.listing.locked) throw new CentroidError("ROOM_LOCKED", `room "${target}" is locked`);
        throw new CentroidError("ROOM_FULL", `room "${target}" has no free seat`);
      }
      return { type: "existing", room, byDistance: false };
    }
    default: {
      const never: never = method;
      throw new CentroidError("BAD_REQUEST", `unknown method ${String(never)}`);
    }
  }
}

/**
 * Of the open rooms that the joiner's options ask for, the first by the order of their type. Where that leaves it
 * open, the nearest among the oldest; the fuller one of equals.
 */
function bestOpen(
  rooms: RoomRegistry,
  { target, options, refused, rttMs }: SeatWish,
): { room: RoomEntry; byDistance: boolean } | undefined {
  let best: { room: RoomEntry; rttMs: number; byDistance: boolean } | undefined;
  let compared = 0;
  for (const room of rooms.open(target)) {
    if (refused.has(room.roomId) || !meets(room, options)) continue;
    const order = best === undefined ? -1 : compare(room, best.room);
    if (order > 0) continue;
    if (order < 0) compared = 0;
    // A type with an order of its own may have its first room anywhere.
    if (compared++ >= MAX_COMPARED) {
      if (room.listing.sortBy === undefined) break;
      continue;
    }
    const toHostMs = rttMs(room.stage.hostId);
    const byDistance =
      best !== undefined && order === 0 && (best.byDistance || best.room.stage.hostId !== room.stage.hostId);
    const nearer = best === undefined || order < 0 || toHostMs < best.rttMs;
    const fuller = toHostMs === best?.rttMs && seatsTaken(room) > seatsTaken(best.room);
    if (nearer || fuller) best = { room, rttMs: toHostMs, byDistance };
    else if (best !== undefined) best.byDistance = byDistance;
  }
  return best && { room: best.room, byDistance: best.byDistance };
}
