/** Before a live migration: its mode, from what it is expected to cost. */
import { setTimeout as delay } from "node:timers/promises";
import { type Domain, LibvirtError } from "@centroid/node-libvirt";
import { defaultMaxDowntimeMs, type VmMigrationOptions, type VmMode } from "./migration-options.js";
import { chooseMode, type Prediction } from "./predict.js";

const dirtyRateSeconds = 1;
const dirtyRatePollMs = 50;

async function measureDirtyRate(
  domain: Domain,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  try {
    await domain.startDirtyRate(dirtyRateSeconds);
    for (let tries = 0; tries < 60; tries++) {
      await delay(dirtyRatePollMs, undefined, { ref: true, ...(signal ? { signal } : {}) });
      const rate = await domain.getDirtyRate();
      if (rate.status === "measured") return (rate.mebibytesPerS ?? 0) * 2 ** 20;
    }
  } catch (error) {
    signal?.throwIfAborted();
    // A hypervisor that cannot measure it leaves the choice to what hybrid sees on its way.
    if (!(error instanceof LibvirtError)) throw error;
  }
  return undefined;
}

export interface VmMigrationPlan {
  readonly mode: VmMode;
  readonly because: string;
  readonly prediction?: Prediction;
  /** Pre-copy is not expected to end in time: one pass, then post-copy. */
  readonly hopeless?: boolean;
}

export async function planMigration(domain: Domain, options: VmMigrationOptions): Promise<VmMigrationPlan> {
  const { mode, source, destination, predictor, deadlineMs } = options;
  const memory = /<memory unit='KiB'>(\d+)</.exec(await domain.getXml())?.[1];
  const memoryBytes = Number(memory ?? 0) * 1024;
  const maxDowntimeMs = options.maxDowntimeMs ?? defaultMaxDowntimeMs;
  if (mode !== "auto") {
    const prediction = predictor.predict(source.hostId, destination.hostId, {
      memoryBytes,
      dirtyBytesPerS: 0,
      maxDowntimeMs,
    });
    return { mode, because: "asked for", prediction };
  }
  const dirtyBytesPerS = await measureDirtyRate(domain, options.signal);
  // Sampling underrates a guest that writes a few pages all the time, so the way to post-copy stays open.
  const fallback = options.checkpoint === undefined ? "precopy" : "hybrid";
  if (dirtyBytesPerS === undefined) return { mode: fallback, because: "the dirty rate is not known" };
  const prediction = predictor.predict(source.hostId, destination.hostId, {
    memoryBytes,
    dirtyBytesPerS,
    maxDowntimeMs,
  });
  const choice = chooseMode(prediction, deadlineMs);
  const hopeless = choice.mode === "hybrid";
  return { mode: fallback, because: choice.because, hopeless, prediction };
}
