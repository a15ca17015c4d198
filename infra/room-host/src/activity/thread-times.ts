/** What the kernel counts of a thread: how long it has run, and how long it was ready to while no core was free. */
import { readFileSync } from "node:fs";

export interface ThreadTimes {
  ranMs: number;
  waitedMs: number;
}

/**
 * Linux has them in schedstat, as nanoseconds (kernel's Documentation/scheduler/sched-stats).
 * @param thread id of a thread of this process; the calling one if not given
 * @returns undefined where nobody counts
 */
export function threadTimes(thread?: number): ThreadTimes | undefined {
  const folder = thread === undefined ? "/proc/thread-self" : `/proc/self/task/${thread}`;
  try {
    const [ranNs, waitedNs] = readFileSync(`${folder}/schedstat`, "utf8").split(" ");
    return { ranMs: Number(ranNs) / 1e6, waitedMs: Number(waitedNs) / 1e6 };
  } catch {
    return undefined;
  }
}
