/**
 * Checkpoints that came while the store could not be written. The last one of each room is stored as soon as it can be,
 * since a room whose save was lost saves itself again only seconds later, and until then its newcomers would be lost with
 * its host.
 */
import type { CentroidError } from "@centroid/protocol";
import type { Store, StoredCheckpoint } from "./store.js";

/** Of all rooms together; what is more is lost as if its host had been slower. */
const MAX_BYTES = 64 * 1024 * 1024;

interface Owed {
  checkpoint: StoredCheckpoint;
  calledOff: number | undefined;
  /** Why it could not be stored. */
  refusal: CentroidError;
  stored: () => void;
  lost: (cause: unknown) => void;
}

export class OwedCheckpoints implements Disposable {
  readonly #byRoom = new Map<string, Owed>();
  #bytes = 0;

  /**
   * Resolves when it is stored.
   * @param calledOff as the store takes it
   * @throws `refusal` if a later one comes first, or the room has another owner
   */
  owe(checkpoint: StoredCheckpoint, calledOff: number | undefined, refusal: CentroidError): Promise<void> {
    this.drop(checkpoint.roomId);
    const bytes = checkpoint.data.byteLength;
    if (this.#bytes + bytes > MAX_BYTES) return Promise.reject(refusal);
    this.#bytes += bytes;
    return new Promise((stored, lost) =>
      this.#byRoom.set(checkpoint.roomId, { checkpoint, calledOff, refusal, stored, lost }),
    );
  }

  /** That of this room is not to be stored any more. */
  drop(roomId: string): void {
    const owed = this.#byRoom.get(roomId);
    if (owed !== undefined) this.#take(owed).lost(owed.refusal);
  }

  /** @throws what the store throws, if it cannot be written after all */
  async payOff(store: Pick<Store, "putCheckpoint">, isTrouble: (cause: unknown) => boolean): Promise<void> {
    for (const owed of [...this.#byRoom.values()]) {
      const { checkpoint, calledOff } = owed;
      if (this.#byRoom.get(checkpoint.roomId) !== owed) continue;
      try {
        await store.putCheckpoint(checkpoint, calledOff);
        owed.stored();
      } catch (cause) {
        if (isTrouble(cause)) throw cause;
        owed.lost(cause);
      }
      if (this.#byRoom.get(checkpoint.roomId) === owed) this.#take(owed);
    }
  }

  [Symbol.dispose](): void {
    for (const roomId of [...this.#byRoom.keys()]) this.drop(roomId);
  }

  #take(owed: Owed): Owed {
    this.#byRoom.delete(owed.checkpoint.roomId);
    this.#bytes -= owed.checkpoint.data.byteLength;
    return owed;
  }
}
