/** One core of the measurement: warms up, says so, and measures when all others are ready. */
import { parentPort, workerData } from "node:worker_threads";
import { threadTimes } from "@centroid/room-host/thread-times";
import { measureRounds } from "./kernel.js";

/** Until the code is optimised. */
const WARM_UP_MS = 15;

const { forMs, slices } = workerData as { forMs: number; slices: number };
/** Stands still while others have the core: what a full machine does beside this says nothing of how fast it is. */
const now = (): number => performance.now() - (threadTimes()?.waitedMs ?? 0);

measureRounds(WARM_UP_MS, now);
parentPort?.once("message", () => {
  const rates = Array.from({ length: slices }, () => measureRounds(forMs / slices, now));
  parentPort?.postMessage({ type: "measured", rates });
});
parentPort?.postMessage({ type: "ready" });
