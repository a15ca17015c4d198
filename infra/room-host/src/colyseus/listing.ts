/** What matchmaking gets to know of a room: Colyseus' listing of it, and the filters and order of its type. */
import type { RoomListing } from "@centroid/protocol";
import { matchMaker, type RegisteredHandler } from "@colyseus/core";
import { internals } from "./core-internals.js";
import type { MovableRoom } from "./movable-room.js";

/** Metadata is a label, not a transfer. */
const MAX_METADATA_CHARACTERS = 16 * 1024;

const ASCENDING: ReadonlySet<unknown> = new Set([1, "asc", "ascending"]);

export function listing(room: MovableRoom): RoomListing {
  const { private: isPrivate, unlisted } = internals(room)._listing;
  const { filterOptions, sortOptions = {} } = handlerOf(room);
  const metadata = asJson(room.metadata);
  const sortBy = Object.entries(sortOptions);
  return {
    locked: room.locked,
    ...(Number.isFinite(room.maxClients) && { maxPlayers: Math.max(0, Math.floor(room.maxClients)) }),
    ...(isPrivate && { private: true }),
    ...(unlisted === true && { unlisted: true }),
    ...(metadata !== undefined && { metadata }),
    ...(filterOptions.length > 0 && { filterBy: filterOptions.map(String) }),
    ...(sortBy.length > 0 && {
      sortBy: Object.fromEntries(
        sortBy.map(([field, order]) => [field, ASCENDING.has(order) ? "asc" : "desc"]),
      ),
    }),
  };
}

function handlerOf(room: MovableRoom): RegisteredHandler {
  return matchMaker.getHandler(room.roomName);
}

/** As every matchmaking backend that is shared between processes stores it; nothing if JSON cannot say it. */
function asJson(metadata: unknown): unknown {
  if (metadata === undefined || metadata === null) return undefined;
  try {
    const text = JSON.stringify(metadata) as string | undefined;
    return text === undefined || text.length > MAX_METADATA_CHARACTERS ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}
