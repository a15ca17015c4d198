/** Feeds targets with drawn inputs and keeps the accounts: rates, slowest input, memory, what went wrong. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Draw } from "../support/draw.js";
import type { Target } from "./targets.js";

/** One input may take so long on a machine that does ten other things; a loop that never ends takes longer. */
const SLOW_MS = 2_000;
/** Beyond this, what is kept between inputs is a leak and not a cache. */
const MAX_GROWTH_BYTES = 24 * 1024 * 1024;
const REPORT_EVERY = 5_000;
/** Of one target; more of the same help nobody. */
const MAX_FAILURES = 20;

export interface TargetReport {
  readonly name: string;
  readonly inputs: number;
  /** Inputs that were taken for good. */
  readonly accepted: number;
  readonly perSecond: number;
  readonly slowestMs: number;
  readonly grownBytes: number;
}

export interface Failure {
  readonly name: string;
  /** Draws this very input again: `--seed` and `--inputs 1` of this target. */
  readonly seed: number;
  readonly problem: string;
}

export interface FuzzReport {
  readonly targets: readonly TargetReport[];
  readonly failures: readonly Failure[];
}

setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc") as () => void;
const heapBytes = (): number => {
  collect();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};

/** Once more, ms: what was slow because the machine was busy is quick now. */
function again(target: Target, seed: number): number {
  const beganAtMs = performance.now();
  try {
    target.once(new Draw(seed));
  } catch {
    // Its error is known already.
  }
  return performance.now() - beganAtMs;
}

/** The seed of one input, so that each can be drawn again by itself. */
export const seedOf = (seed: number, at: number): number => (seed + Math.imul(at, 0x9e3779b1)) >>> 0;

/** @param progress called every few thousand inputs: who hears nothing for long has found a hang */
export function fuzz(
  targets: readonly Target[],
  seed: number,
  inputs: number,
  progress: (name: string, at: number) => void = () => undefined,
): FuzzReport {
  const failures: Failure[] = [];
  const share = Math.ceil(inputs / targets.length);
  const reports = targets.map((target) => one(target, seed, share, failures, progress));
  if (Object.keys(Object.prototype).length > 0 || "polluted" in {})
    failures.push({ name: "all", seed, problem: "Object.prototype was changed" });
  return { targets: reports, failures };
}

function one(
  target: Target,
  seed: number,
  inputs: number,
  failures: Failure[],
  progress: (name: string, at: number) => void,
): TargetReport {
  const { name } = target;
  const failedBefore = failures.length;
  let accepted = 0;
  let slowestMs = 0;
  // Compiled schemas and shapes come with the first inputs.
  const warmUp = Math.min(2_000, Math.floor(inputs / 4));
  let baseBytes = heapBytes();
  const startedAtMs = performance.now();
  for (let at = 0; at < inputs; at++) {
    if (at === warmUp) baseBytes = heapBytes();
    if (at % REPORT_EVERY === 0) progress(name, at);
    const ownSeed = seedOf(seed, at);
    const beganAtMs = performance.now();
    try {
      if (target.once(new Draw(ownSeed))) accepted++;
    } catch (error) {
      if (!target.expected(error))
        failures.push({
          name,
          seed: ownSeed,
          problem: error instanceof Error ? (error.stack ?? error.message) : String(error),
        });
    }
    const tookMs = performance.now() - beganAtMs;
    slowestMs = Math.max(slowestMs, tookMs);
    if (tookMs > SLOW_MS && again(target, ownSeed) > SLOW_MS)
      failures.push({ name, seed: ownSeed, problem: `took ${tookMs.toFixed(0)} ms` });
    if (failures.length - failedBefore >= MAX_FAILURES) break;
  }
  const seconds = (performance.now() - startedAtMs) / 1000;
  const grownBytes = heapBytes() - baseBytes;
  if (grownBytes > MAX_GROWTH_BYTES)
    failures.push({ name, seed, problem: `memory grew by ${(grownBytes / 1e6).toFixed(1)} MB` });
  return { name, inputs, accepted, perSecond: inputs / seconds, slowestMs, grownBytes };
}
