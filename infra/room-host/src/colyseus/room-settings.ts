/** What matchmaking and Colyseus go by: settings of a room, which it may have changed since its onCreate(). */
import type { Room } from "@colyseus/core";
import { internals } from "./core-internals.js";

export interface RoomSettings {
  patchRateMs: number | null;
  unreliablePatchRateMs: number | null;
  seatReservationTimeoutS: number;
  maxMessagesPerSecond: number;
  metadata: unknown;
  maxClients: number;
  /** By the author, not because it is full. */
  locked: boolean;
  isPrivate: boolean;
  isUnlisted: boolean;
  autoDispose: boolean;
}

export function readSettings(room: Room): RoomSettings {
  const { _listing, _lockedExplicitly } = internals(room);
  return {
    patchRateMs: room.patchRate,
    unreliablePatchRateMs: room.unreliablePatchRate,
    seatReservationTimeoutS: room.seatReservationTimeout,
    maxMessagesPerSecond: room.maxMessagesPerSecond,
    metadata: _listing.metadata,
    maxClients: room.maxClients,
    locked: _lockedExplicitly,
    isPrivate: _listing.private === true,
    isUnlisted: _listing.unlisted === true,
    autoDispose: room.autoDispose,
  };
}

/** Whatever onCreate(), which has run again here, says of them. Its players have their seats. */
export async function writeSettings(room: Room, settings: RoomSettings): Promise<void> {
  if (settings.metadata !== room.metadata) await room.setMetadata(settings.metadata as never);
  await room.setPrivate(settings.isPrivate);
  if (settings.locked) await room.lock();
  else if (internals(room)._lockedExplicitly) await room.unlock();
  // Locks it if it is full.
  await room.setMatchmaking({ maxClients: settings.maxClients, unlisted: settings.isUnlisted });
  if (settings.patchRateMs !== room.patchRate) room.patchRate = settings.patchRateMs;
  if (settings.unreliablePatchRateMs !== room.unreliablePatchRate)
    room.unreliablePatchRate = settings.unreliablePatchRateMs;
  room.seatReservationTimeout = settings.seatReservationTimeoutS;
  room.maxMessagesPerSecond = settings.maxMessagesPerSecond;
  room.autoDispose = settings.autoDispose;
}
