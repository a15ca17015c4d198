/**
 * Up to which epoch this host has let go of which room. An order for such an epoch that comes later comes from a broker that
 * was slow: another one has given the room away since (FAIL-6).
 */
import { type AgentRequest, CentroidError, forgetOldest } from "@centroid/protocol";

/** Rooms remembered, the oldest of which are forgotten first: far more than end within the time that an order may take. */
const MAX_REMEMBERED = 10_000;

export class LetGo {
  readonly #epochs = new Map<string, number>();

  /** @throws CentroidError STALE_EPOCH if the order is over */
  check(request: AgentRequest): void {
    switch (request.method) {
      case "disposeRoom":
        this.#note(request.roomId, request.epoch);
        return;
      case "restoreRoom":
      case "migrateIn":
        if (request.epoch <= (this.#epochs.get(request.roomId) ?? 0))
          throw new CentroidError(
            "STALE_EPOCH",
            `room ${request.roomId} was given to another host since this was ordered`,
          );
    }
  }

  #note(roomId: string, epoch: number): void {
    const highest = Math.max(epoch, this.#epochs.get(roomId) ?? 0);
    this.#epochs.delete(roomId);
    this.#epochs.set(roomId, highest);
    forgetOldest(this.#epochs, MAX_REMEMBERED);
  }
}
