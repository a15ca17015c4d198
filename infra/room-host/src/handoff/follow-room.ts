/** A room that is driven by the log of its source. */
import { setImmediate as nextLoop } from "node:timers/promises";
import { Lockstep } from "../colyseus/lockstep.js";
import type { MovableRoom } from "../colyseus/movable-room.js";
import { StepFollower } from "../in-step/follower.js";
import { differingPart, digestRoom, type RoomDigest } from "../transfer/room-digest.js";

/** @param room whole, and held */
export function followRoom(room: MovableRoom, onAgreed: (number: number) => void): StepFollower<RoomDigest> {
  return new StepFollower({
    driven: new Lockstep(room),
    digest: () => digestRoom(room),
    differing: differingPart,
    onAgreed,
    pause: () => nextLoop(),
  });
}
