/** The last few decisions of every room, for those who ask why. */
import type { Decision } from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { PlacementEvents } from "./placement-events.js";

/** Enough to see what led to the last move. */
const KEPT_PER_ROOM = 20;

export class DecisionLog {
  readonly #byRoom = new Map<string, Decision[]>();
  readonly #again = new Map<string, () => Decision>();

  constructor(events: Emitter<PlacementEvents & RoomEvents>) {
    events.on("decision.made", ({ decision }) => this.#add(decision));
    events.on("room.removed", ({ room }) => this.#forget(room.roomId));
  }

  #add(decision: Decision): void {
    this.#again.delete(decision.roomId);
    const known = this.#byRoom.get(decision.roomId);
    if (known === undefined) {
      this.#byRoom.set(decision.roomId, [decision]);
      return;
    }
    // Equal verdicts in a row would push out the ones that say something.
    const last = known.at(-1);
    if (last?.verdict === "stay" && decision.verdict === "stay" && last.reason === decision.reason)
      known.pop();
    known.push(decision);
    if (known.length > KEPT_PER_ROOM) known.shift();
  }

  /** The last decision was made again; its record is made if somebody asks. */
  repeated(roomId: string, record: () => Decision): void {
    this.#again.set(roomId, record);
  }

  /** Newest first. */
  of(roomId: string): Decision[] {
    const again = this.#again.get(roomId);
    if (again !== undefined) this.#add(again());
    return [...(this.#byRoom.get(roomId) ?? [])].reverse();
  }

  last(roomId: string): Decision | undefined {
    return this.#byRoom.get(roomId)?.at(-1);
  }

  #forget(roomId: string): void {
    this.#again.delete(roomId);
    this.#byRoom.delete(roomId);
  }
}
