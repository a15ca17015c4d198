/** Live migration as a player sees it: one guest moved to and fro under a load, measured over an open connection. */
import { setTimeout as delay } from "node:timers/promises";
import type { GuestImage, VmMode } from "@centroid/vm-carrier";
import { detectAccelerator } from "@centroid/vm-carrier";
import { startCpuTime } from "./cpu-time.js";
import { GuestPair, type PairHost } from "./guest-pair.js";
import type { VmLoad } from "./vm-loads.js";

export interface VmBenchOptions {
  readonly image: GuestImage;
  readonly mode: VmMode;
  readonly load: VmLoad;
  readonly runs: number;
  readonly memoryMebibytes?: number;
  readonly deadlineMs?: number;
  readonly onNotice?: (line: string) => void;
}

/** One migration. */
export interface VmBenchRun {
  readonly mode: VmMode;
  readonly load: VmLoad;
  readonly totalMs: number;
  /** The longest silence a client saw, at one push every 10 ms. */
  readonly gapMs: number;
  readonly gapP50: number;
  readonly gapP99: number;
  readonly bytes: number;
  /** Of both hosts, the player and what moves the room; nothing if the system does not say. */
  readonly cpuMs: number | undefined;
  readonly iterations: number;
  /** Frames that never reached the client on its open connection. */
  readonly lost: number;
  readonly reason: string;
  readonly outcome: "completed" | "rolled-back" | "failed";
}

const defaultMemoryMebibytes = 256;
const defaultDeadlineMs = 30_000;
/** What the load keeps writing: more than any link of the lab carries between two passes. */
const loadMebibytes = 32;
/** For the guest's code to be translated and its load to be under way. */
const settleMs = 2000;
/** A client notices the end of a silence only by the next frame. */
const tailMs = 300;

/** Runs the benchmark in a lab of its own, which is taken down at the end. Needs root, libvirt and QEMU. */
export async function* benchVmMigration(options: VmBenchOptions): AsyncGenerator<VmBenchRun> {
  const { image, mode, load } = options;
  const { accelerator, notice } = await detectAccelerator(image);
  if (notice !== undefined) options.onNotice?.(notice);
  await using pair = await GuestPair.up({
    name: `bench${process.pid}`,
    image,
    accelerator,
    memoryMebibytes: options.memoryMebibytes ?? defaultMemoryMebibytes,
  });
  const guest = await pair.startGuest(await pair.guestHost("left"));
  await using player = await pair.connectPlayer(guest);
  player.setLoad(load, loadMebibytes);
  await delay(settleMs);
  let at: PairHost = "left";
  for (let run = 0; run < options.runs; run++) {
    player.mark();
    const cpu = startCpuTime();
    const outcome = await pair.migrate(guest, at, {
      mode,
      deadlineMs: options.deadlineMs ?? defaultDeadlineMs,
      // The benchmark's guest has no state worth keeping; what is measured is the switch.
      checkpoint: async () => {},
    });
    const cpuMs = cpu();
    await delay(tailMs);
    const seen = await player.report();
    yield {
      mode,
      load,
      totalMs: outcome.totalMs,
      gapMs: seen.gapMs,
      gapP50: seen.gapP50Ms,
      gapP99: seen.gapP99Ms,
      bytes: outcome.bytes,
      cpuMs,
      iterations: outcome.iterations,
      lost: seen.lost,
      reason: outcome.error?.message ?? outcome.because,
      outcome: outcome.outcome,
    };
    if (outcome.owner === "none" || outcome.owner === "unknown") return;
    if (outcome.owner === "destination") at = at === "left" ? "right" : "left";
  }
}
