/**
 * What is saved of rooms that are over. A save that is on its way to the store while its room ends there can come after
 * the end, by way of another broker; in a cluster neither is one step with the other. So whoever decides about a shard
 * looks from time to time for what is saved of rooms that are neither on record nor known.
 */
import type { Logger } from "../base/logger.js";
import type { Store } from "../store/store.js";

export interface OrphanedCheckpointsOptions {
  store: Pick<Store, "saved" | "records" | "checkpoint" | "removeCheckpoint">;
  /** About which this broker decides. */
  shards: () => readonly number[];
  /** True if this broker decides about the room and does not know it: it is not just being made here, nor awaited. */
  isUnknown: (roomId: string) => boolean;
  logger: Logger;
}

export class OrphanedCheckpoints {
  readonly #options: OrphanedCheckpointsOptions;
  #looking = false;

  constructor(options: OrphanedCheckpointsOptions) {
    this.#options = options;
  }

  /** To be called every minute or so, and when this broker has read what it takes over. */
  async sweep(): Promise<void> {
    const { store, shards, isUnknown, logger } = this.#options;
    if (this.#looking) return;
    this.#looking = true;
    try {
      const unknown = (await store.saved(shards())).filter(isUnknown);
      if (unknown.length === 0) return;
      const recorded = new Set((await store.records(unknown)).map(({ roomId }) => roomId));
      for (const roomId of unknown.filter((each) => !recorded.has(each))) {
        // A broker of an earlier version that removes one leaves it on the list of its shard.
        const checkpoint = (await store.checkpoint(roomId)) ?? { roomId, epoch: 0, seq: 0 };
        // Another room may have begun under this id; a later save of it is not removed.
        if (!isUnknown(roomId)) continue;
        await store.removeCheckpoint(checkpoint);
        logger.info({ roomId }, "what was saved of a room that is over is removed");
      }
    } catch (cause) {
      logger.warn({ cause }, "what is saved of rooms that are over could not be looked for yet");
    } finally {
      this.#looking = false;
    }
  }
}
