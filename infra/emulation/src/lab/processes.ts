/** Finding and ending the processes of a lab, also those that nobody has written down. */
import { readFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { waitFor } from "@centroid/agent";

/** After a polite request to end, before the kill. */
const endTimeoutMs = 3000;

/** Processes with this argument: how the switch is found without a state file. */
export async function processesMentioning(argument: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (line.split("\0")[1] === argument) found.push(Number(entry));
  }
  return found;
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** A process that has ended but was not reaped yet has nothing left to end. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

export async function endProcesses(pids: ReadonlySet<number>): Promise<void> {
  const living = () => [...pids].filter(isRunning);
  for (const pid of pids) signal(pid, "SIGTERM");
  await waitFor("the lab's processes", () => living().length === 0, endTimeoutMs).catch(() => {});
  for (const pid of living()) signal(pid, "SIGKILL");
  await waitFor("the killed processes", () => living().length === 0, endTimeoutMs);
}
