/** Predictions of migrations, corrected by how earlier ones between the same two hosts turned out. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { type MigrationCost, type Prediction, predictMigration } from "./predict.js";

/** Weight of the newest outcome. */
const learningRate = 0.3;
/** One odd outcome must not spoil the predictions to come. */
const factorLimits = { least: 0.2, most: 5 } as const;

const pairSchema = z.object({
  /** Of the link while pages are sent. */
  bandwidthBytesPerS: z.number().positive(),
  /** Until the first page is sent: the destination's QEMU starts, and both get ready. */
  setupMs: z.number().nonnegative(),
  /** Of the guest's memory; what is zero is not sent. */
  sentShare: z.number().positive().max(1),
  /** Outcome over prediction of the time after the set-up, by how it was expected to end. */
  factors: z.object({ precopy: z.number().positive(), postcopy: z.number().positive() }),
});
type PairKnowledge = z.infer<typeof pairSchema>;
const knowledgeSchema = z.record(z.string(), pairSchema);

/** Before anything was measured: what a userspace network on a small box carries. */
const unknownPair: PairKnowledge = {
  bandwidthBytesPerS: 100e6,
  setupMs: 700,
  sentShare: 1,
  factors: { precopy: 1, postcopy: 1 },
};

/** How a migration that had been predicted turned out. */
export interface ObservedMigration {
  readonly predicted: Prediction;
  /** From the call to its end. */
  readonly totalMs: number;
  /** Of that until the first pass began. */
  readonly setupMs: number;
  readonly bytes: number;
  /** Ended by post-copy. */
  readonly switched: boolean;
}

const kindOf = (postcopy: boolean) => (postcopy ? "postcopy" : "precopy");
const towards = (known: number, seen: number) => known + learningRate * (seen - known);

/** What is known of each pair of hosts, in the direction of the move. */
export class MigrationPredictor {
  readonly #pairs: Map<string, PairKnowledge>;

  /** @param kept as `toJSON` gave it; what cannot be read is not known */
  constructor(kept?: unknown) {
    const parsed = knowledgeSchema.safeParse(kept);
    this.#pairs = new Map(parsed.success ? Object.entries(parsed.data) : []);
  }

  #pair(from: string, to: string): PairKnowledge {
    return this.#pairs.get(`${from} ${to}`) ?? unknownPair;
  }

  /** @param cost `memoryBytes` is all that the guest has */
  predict(from: string, to: string, cost: Omit<MigrationCost, "bandwidthBytesPerS">): Prediction {
    const { bandwidthBytesPerS, setupMs, sentShare, factors } = this.#pair(from, to);
    const memoryBytes = cost.memoryBytes * sentShare;
    const plain = predictMigration({ ...cost, memoryBytes, bandwidthBytesPerS });
    return { ...plain, totalMs: setupMs + plain.totalMs * factors[kindOf(!plain.converges)] };
  }

  /** Compares a prediction with its outcome. One that moved nothing teaches nothing. */
  learn(from: string, to: string, outcome: ObservedMigration): void {
    const { predicted, totalMs, setupMs, bytes, switched } = outcome;
    const busyMs = totalMs - setupMs;
    if (busyMs <= 0 || bytes <= 0) return;
    const known = this.#pair(from, to);
    const kind = kindOf(switched);
    const asExpected = predicted.converges === !switched;
    const expectedMs = Math.max(1, predicted.totalMs - known.setupMs);
    const factor = asExpected ? (known.factors[kind] * busyMs) / expectedMs : known.factors[kind];
    const bounded = Math.min(factorLimits.most, Math.max(factorLimits.least, factor));
    const share = asExpected ? (known.sentShare * bytes) / predicted.bytes : known.sentShare;
    this.#pairs.set(`${from} ${to}`, {
      bandwidthBytesPerS: towards(known.bandwidthBytesPerS, (bytes / busyMs) * 1000),
      setupMs: towards(known.setupMs, setupMs),
      sentShare: Math.min(1, towards(known.sentShare, share)),
      factors: { ...known.factors, [kind]: towards(known.factors[kind], bounded) },
    });
  }

  toJSON(): unknown {
    return Object.fromEntries(this.#pairs);
  }
}

const pathIn = (directory: string) => join(directory, "migration-costs.json");

/** What an agent of this host learned before, or nothing. */
export async function readPredictor(directory: string): Promise<MigrationPredictor> {
  const text = await readFile(pathIn(directory), "utf8").catch(() => "null");
  try {
    return new MigrationPredictor(JSON.parse(text));
  } catch {
    return new MigrationPredictor();
  }
}

/** A disk that is full costs better predictions, no room. */
export async function keepPredictor(directory: string, predictor: MigrationPredictor): Promise<void> {
  const path = pathIn(directory);
  await writeFile(`${path}.new`, JSON.stringify(predictor))
    .then(() => rename(`${path}.new`, path))
    .catch(() => undefined);
}
