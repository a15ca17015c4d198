/** One core of the measurement: warms up, says so, and measures when all others are ready. */
import { parentPort, workerData } from "node:worker_threads";
import { measureRounds } from "./kernel.js";

/** Until the code is optimised. */
const WARM_UP_MS = 15;

const { forMs, slices } = workerData as { forMs: number; slices: number };
const now = (): number => performance.now();

measureRounds(WARM_UP_MS, now);
parentPort?.once("message", () => {
  const rates = Array.from({ length: slices }, () => measureRounds(forMs / slices, now));
  parentPort?.postMessage({ type: "measured", rates });
});
parentPort?.postMessage({ type: "ready" });
