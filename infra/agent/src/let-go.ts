/**
 * Up to which epoch this host has let go of which room, and which moves were called off here. An order for such an epoch or
 * such a move that comes later comes from a broker that was slow: another one has decided about the room since (FAIL-6).
 */
import { type AgentRequest, CentroidError, forgetOldest } from "@centroid/protocol";

/** Rooms, and moves, the oldest of which are forgotten first: far more than end within the time that an order may take. */
const MAX_REMEMBERED = 10_000;

export class LetGo {
  readonly #epochs = new Map<string, number>();
  readonly #calledOff = new Set<string>();

  /** @throws CentroidError STALE_EPOCH if the order is over */
  check(request: AgentRequest): void {
    switch (request.method) {
      case "disposeRoom":
        this.#note(request.roomId, request.epoch);
        return;
      case "abortMigration":
        this.#calledOff.add(request.migrationId);
        forgetOldest(this.#calledOff, MAX_REMEMBERED);
        return;
      case "restoreRoom":
        this.#assertStillWanted(request);
        return;
      case "migrateIn":
        this.#assertStillWanted(request);
        this.#assertNotCalledOff(request);
        return;
      case "migrateOut":
        this.#assertNotCalledOff(request);
    }
  }

  #assertStillWanted({ roomId, epoch }: { roomId: string; epoch: number }): void {
    if (epoch <= (this.#epochs.get(roomId) ?? 0))
      throw new CentroidError(
        "STALE_EPOCH",
        `room ${roomId} was given to another host since this was ordered`,
      );
  }

  /** Whoever called it off counts on the room staying where it was. */
  #assertNotCalledOff({ roomId, migrationId }: { roomId: string; migrationId: string }): void {
    if (this.#calledOff.has(migrationId))
      throw new CentroidError(
        "STALE_EPOCH",
        `this move of room ${roomId} was called off since it was ordered`,
      );
  }

  #note(roomId: string, epoch: number): void {
    const highest = Math.max(epoch, this.#epochs.get(roomId) ?? 0);
    this.#epochs.delete(roomId);
    this.#epochs.set(roomId, highest);
    forgetOldest(this.#epochs, MAX_REMEMBERED);
  }
}
