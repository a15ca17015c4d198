/**
 * What a migration will cost, from memory, dirty rate and bandwidth, and the mode that follows from it. Pure;
 * what earlier migrations taught is in `learned-costs.ts`.
 *
 * Pre-copy model (Liu et al., "Performance and energy modeling for live migration of virtual machines", 2011):
 * pass 0 sends all memory V0, pass i what was dirtied meanwhile, V(i) = V0 * lambda^i, lambda = dirty rate /
 * bandwidth; it stops when what is left fits into the allowed downtime.
 */

export interface MigrationCost {
  /** Memory that is not zero. */
  readonly memoryBytes: number;
  readonly dirtyBytesPerS: number;
  readonly bandwidthBytesPerS: number;
  readonly maxDowntimeMs: number;
}

export interface Prediction {
  /** False when pre-copy alone would go on for ever. */
  readonly converges: boolean;
  /** Of pre-copy if it converges, else of one pass and post-copy of all of it. */
  readonly totalMs: number;
  readonly bytes: number;
  readonly iterations: number;
}

/** More passes than this gain nothing that the players would notice. */
const maxIterations = 30;

/** The uncorrected prediction. */
export function predictMigration(cost: MigrationCost): Prediction {
  const { memoryBytes, dirtyBytesPerS, bandwidthBytesPerS, maxDowntimeMs } = cost;
  const lambda = dirtyBytesPerS / bandwidthBytesPerS;
  const enoughBytes = (bandwidthBytesPerS * maxDowntimeMs) / 1000;
  let left = memoryBytes;
  let bytes = 0;
  let iterations = 0;
  while (left > enoughBytes && iterations < maxIterations) {
    bytes += left;
    left *= lambda;
    iterations++;
  }
  const converges = left <= enoughBytes;
  if (!converges) {
    bytes = 2 * memoryBytes;
    iterations = 1;
  } else {
    bytes += left;
    iterations++;
  }
  return { converges, totalMs: (bytes / bandwidthBytesPerS) * 1000, bytes, iterations };
}

export type ModeChoice = "precopy" | "hybrid";

/** Share of the deadline that a pre-copy may be predicted to take: predictions are not promises. */
const comfortableShare = 0.5;

/** Pre-copy while it will be over in comfortable time, since it can be taken back at any point; else hybrid. */
export function chooseMode(
  prediction: Prediction,
  deadlineMs: number,
): { mode: ModeChoice; because: string } {
  if (!prediction.converges)
    return { mode: "hybrid", because: "the guest writes faster than the link carries" };
  const limitMs = deadlineMs * comfortableShare;
  if (prediction.totalMs > limitMs) {
    return {
      mode: "hybrid",
      because: `pre-copy would take ${Math.round(prediction.totalMs)} ms of ${Math.round(limitMs)} ms`,
    };
  }
  return { mode: "precopy", because: `pre-copy will take ${Math.round(prediction.totalMs)} ms` };
}
