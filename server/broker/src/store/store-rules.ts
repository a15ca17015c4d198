/**
 * What every store holds to: which owner and which save is the newer one, and how much is kept. Apart from the store's
 * schemas, so that the embedded store's process, which needs none of them, starts quickly.
 */
import { CentroidError } from "@centroid/protocol/errors";
import type { RoomRecord, StoredCheckpoint } from "./store.js";

/**
 * True if `next` is to replace `known`: of a later owner, or a later one of the same.
 * @param calledOff as for `Store.putCheckpoint`
 */
export function isNewer(
  next: Pick<StoredCheckpoint, "epoch" | "seq">,
  known: Pick<StoredCheckpoint, "epoch" | "seq"> | undefined,
  calledOff = 0,
): boolean {
  if (known === undefined || next.epoch > known.epoch) return true;
  if (next.epoch < known.epoch) return known.epoch <= calledOff;
  return next.seq > known.seq;
}

/** @throws CentroidError STALE_EPOCH */
export function assertNotStale(next: RoomRecord, known: RoomRecord | undefined): void {
  if (known === undefined || known.epoch <= next.epoch) return;
  throw new CentroidError(
    "STALE_EPOCH",
    `room ${next.roomId} is at epoch ${known.epoch} on ${known.hostId}; epoch ${next.epoch} is over`,
  );
}

/** Player ids that are given out at a time, a hundred bytes each; players without one get an id made for them. */
export const MAX_PLAYER_IDS = 1_000_000;
/** Ids that were taken between two looks for those that are free again. */
export const PLAYER_ID_SWEEP = 10_000;
/** Receipts kept; older ones are dropped. */
export const MAX_RECEIPTS = 10_000;
/** Audit entries kept: years of operators, some tens of MB. */
export const MAX_AUDIT = 100_000;
