/** The room's clock as this player reads it: networked-aframe settles who took an entity last by it. */
import type { CentroidRoom } from "@centroid/sdk";
import { timeReplySchema } from "./wire.js";

export class ServerTime {
  readonly #room: CentroidRoom;
  #offsetMs = 0;
  #arrived: (() => void) | undefined;

  constructor(room: CentroidRoom) {
    this.#room = room;
    room.onMessage("time", (message: unknown) => {
      const { sentMs, serverMs } = timeReplySchema.parse(message);
      const nowMs = Date.now();
      // Half the round trip passed since the room looked at its clock (Cristian's algorithm).
      this.#offsetMs = serverMs + (nowMs - sentMs) / 2 - nowMs;
      this.#arrived?.();
    });
    // The new host has a clock of its own.
    room.onMigrate(() => void this.measure());
  }

  now(): number {
    return Date.now() + this.#offsetMs;
  }

  /** Resolves when the room has answered. */
  measure(): Promise<void> {
    return new Promise((resolve) => {
      this.#arrived = resolve;
      this.#room.send("time", { sentMs: Date.now() });
    });
  }
}
