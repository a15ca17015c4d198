/**
 * Rooms whose code ended or hung the process that they ran in. Players send what is not saved again to whoever has the
 * room next, so a message that does this once does it to one host after the other, and to all rooms there. The second
 * time is the last.
 */
import { CentroidError, type Receipt } from "@centroid/protocol";
import type { Blame } from "../rooms/room-events.js";
import type { RoomEntry } from "../rooms/room-registry.js";

/** The first may be a coincidence. */
const MAX_CRASHES = 2;
/** Rooms remembered, the oldest of which are forgotten first: only those that have crashed. */
const MAX_REMEMBERED = 1_000;

export class Crashes {
  readonly #byRoom = new Map<string, { count: number; last: Blame }>();

  add(roomId: string, blame: Blame): void {
    const count = (this.#byRoom.get(roomId)?.count ?? 0) + 1;
    // Put last again: what crashed just now is forgotten last.
    this.#byRoom.delete(roomId);
    this.#byRoom.set(roomId, { count, last: blame });
    for (const oldest of this.#byRoom.keys()) {
      if (this.#byRoom.size <= MAX_REMEMBERED) break;
      this.#byRoom.delete(oldest);
    }
  }

  /** True if the room is not to be brought to another host. */
  isOver(roomId: string): boolean {
    return (this.#byRoom.get(roomId)?.count ?? 0) >= MAX_CRASHES;
  }

  /** Why the room has been ended. */
  reason(roomId: string): CentroidError | undefined {
    const crashed = this.#byRoom.get(roomId);
    if (crashed === undefined || crashed.count < MAX_CRASHES) return undefined;
    const { how, what, sessionId } = crashed.last;
    const from = sessionId === undefined ? "" : ` from session ${sessionId}`;
    return new CentroidError(
      "ROOM_CRASHED",
      `room ${roomId} was ended: ${what}${from} ${how === "hung" ? "hung" : "ended"} the process of its host ${crashed.count} times; fix the room's code`,
    );
  }

  /** @throws CentroidError ROOM_CRASHED if the room has been ended */
  check(roomId: string): void {
    const reason = this.reason(roomId);
    if (reason !== undefined) throw reason;
  }

  /** The record of a room that was ended instead of being restored. */
  receipt({ roomId, epoch, stage: { hostId } }: RoomEntry, migrationId: string, atMs: number): Receipt {
    return {
      migrationId,
      roomId,
      fromHostId: hostId,
      toHostId: hostId,
      mechanism: "restore",
      reason: "host-lost",
      outcome: "failed",
      error: this.reason(roomId)?.toWire(),
      epoch,
      startedAtMs: atMs,
      totalMs: 0,
      phases: [],
      bytes: 0,
      messagesLost: 0,
      messagesDuplicated: 0,
    };
  }
}
