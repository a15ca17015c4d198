/**
 * What a migration will cost, from memory, dirty rate and bandwidth, corrected by how earlier ones between
 * the same two hosts turned out.
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

/** Weight of the newest outcome. */
const learningRate = 0.3;
/** One odd outcome must not spoil the predictions to come. */
const factorLimits = { least: 0.2, most: 5 } as const;
/** Before anything was measured: what a userspace network on a small box carries. */
const defaultBandwidthBytesPerS = 100e6;

interface PairKnowledge {
  bandwidthBytesPerS: number;
  totalFactor: number;
}

/** Learns bandwidth and a correction of the total time per pair of hosts. */
export class MigrationPredictor {
  readonly #pairs = new Map<string, PairKnowledge>();

  #pair(from: string, to: string): PairKnowledge {
    const key = `${from}\n${to}`;
    let known = this.#pairs.get(key);
    if (known === undefined) {
      known = { bandwidthBytesPerS: defaultBandwidthBytesPerS, totalFactor: 1 };
      this.#pairs.set(key, known);
    }
    return known;
  }

  predict(from: string, to: string, cost: Omit<MigrationCost, "bandwidthBytesPerS">): Prediction {
    const { bandwidthBytesPerS, totalFactor } = this.#pair(from, to);
    const plain = predictMigration({ ...cost, bandwidthBytesPerS });
    return { ...plain, totalMs: plain.totalMs * totalFactor };
  }

  /** `busyMs`: without set-up, so that bandwidth is what the link gave. */
  learn(from: string, to: string, outcome: { predictedMs: number; totalMs: number; bytes: number }): void {
    const known = this.#pair(from, to);
    if (outcome.totalMs <= 0 || outcome.predictedMs <= 0 || outcome.bytes <= 0) return;
    const bandwidth = (outcome.bytes / outcome.totalMs) * 1000;
    known.bandwidthBytesPerS += learningRate * (bandwidth - known.bandwidthBytesPerS);
    const factor = (known.totalFactor * outcome.totalMs) / outcome.predictedMs;
    const bounded = Math.min(factorLimits.most, Math.max(factorLimits.least, factor));
    known.totalFactor += learningRate * (bounded - known.totalFactor);
  }
}
