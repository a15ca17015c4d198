/** Which rooms of a type a joiner may be given, and which of them first: `filterBy` and `sortBy`, as Colyseus reads them. */
import { type RoomEntry, seatsTaken } from "../rooms/room-registry.js";

/** What Colyseus keeps to itself: options of these names filter nothing. */
const RESERVED = new Set(["clients", "locked", "private", "metadata", "name", "processId", "roomId"]);

/** True if what the joiner asks for is what the room has. Options that the joiner leaves out ask for nothing. */
export function meets(room: RoomEntry, options: Readonly<Record<string, unknown>>): boolean {
  for (const name of room.listing.filterBy ?? []) {
    if (!Object.hasOwn(options, name) || RESERVED.has(name)) continue;
    const field = fieldOf(room, name);
    if (field === undefined || field.value !== options[name]) return false;
  }
  return true;
}

/** Negative if `a` comes first by the order of their type, 0 if that leaves it open. */
export function compare(a: RoomEntry, b: RoomEntry): number {
  for (const [name, order] of Object.entries(a.listing.sortBy ?? {})) {
    const [x, y] = [fieldOf(a, name)?.value, fieldOf(b, name)?.value] as [number, number];
    const sign = order === "asc" ? 1 : -1;
    if (x > y) return sign;
    if (x < y) return -sign;
  }
  return 0;
}

/** Of the listing if that has such a field, else of the room's metadata. */
function fieldOf(room: RoomEntry, name: string): { value: unknown } | undefined {
  switch (name) {
    case "clients":
      return { value: seatsTaken(room) };
    case "maxClients":
      return { value: room.listing.maxPlayers ?? Number.POSITIVE_INFINITY };
    case "createdAt":
      return { value: room.createdAtMs };
    default: {
      const { metadata } = room.listing;
      if (typeof metadata !== "object" || metadata === null || !Object.hasOwn(metadata, name))
        return undefined;
      return { value: (metadata as Record<string, unknown>)[name] };
    }
  }
}
