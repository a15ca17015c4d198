/**
 * Rooms whose code ended or hung the process that they ran in. Players send what is not saved again to whoever has the
 * room next, so a message that does this once does it to one host after the other, and to all rooms there. The second
 * time is the last.
 */
import { CentroidError, forgetOldest } from "@centroid/protocol";
import type { Blame } from "../rooms/room-events.js";

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
    forgetOldest(this.#byRoom, MAX_REMEMBERED);
  }

  /** Why the room is not to be brought to another host; undefined if it may be. */
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
}
