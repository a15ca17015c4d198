/** Rooms that stand still here, each for as long as there is a reason for it. Rooms that move are left alone. */
import { type MovableRoom, movableClients } from "../colyseus/movable-room.js";

/** `lease`: this host may not run rooms just now. `standby`: it may not run this one without its standby. */
export type PauseReason = "lease" | "standby";

export class Pauses {
  readonly #reasons = new Map<MovableRoom, Set<PauseReason>>();

  /** Time stops in the room and what players send is put aside. */
  hold(room: MovableRoom, reason: PauseReason): void {
    const reasons = this.#reasons.get(room);
    if (reasons !== undefined) {
      reasons.add(reason);
      return;
    }
    if (room.move.clock.held) return;
    this.#reasons.set(room, new Set([reason]));
    room.move.clock.hold();
    for (const { link } of movableClients(room)) link.freeze();
  }

  /** Goes on with what came meanwhile, unless there is another reason. */
  release(room: MovableRoom, reason: PauseReason): void {
    const reasons = this.#reasons.get(room);
    if (reasons?.delete(reason) !== true || reasons.size > 0) return;
    this.#reasons.delete(room);
    room.move.clock.resume();
    for (const { link } of movableClients(room)) link.thaw();
  }

  releaseAll(reason: PauseReason): void {
    for (const room of [...this.#reasons.keys()]) this.release(room, reason);
  }

  /** The room has ended here. */
  forget(room: MovableRoom): void {
    this.#reasons.delete(room);
  }
}
