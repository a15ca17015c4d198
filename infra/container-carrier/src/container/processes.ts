/** The processes of a container, seen from its host. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { CentroidError } from "@centroid/protocol";

/** A thread in the middle of a system call stops after it; on a busy host it has to get its turn first. */
const STOP_TIMEOUT_MS = 5_000;
/** The room is silent meanwhile. Looking without a pause would take a thread the core that it needs to stop. */
const LOOK_AGAIN_MS = 1;
const ENDED: ReadonlySet<string> = new Set(["Z", "X"]);
const STILL: ReadonlySet<string> = new Set(["T", ...ENDED]);

/** False once it has ended, whether anybody has taken notice of that or not. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !ENDED.has(stateOf(stat));
}

/** Process ids of all that runs in a container beside its first process, as its host numbers them. */
export function programsOf(pid: number): number[] {
  const children = childrenOf(pid);
  return [...children, ...children.flatMap(programsOf)];
}

/** Without waiting for a thread: the container may stand still. */
function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number);
  } catch {
    return [];
  }
}

/**
 * Stops every program of a container but its first process, which only waits for them, and resolves once each of their
 * threads stands still. criu must not meet one that is about to: it takes the stop and its own interruption, which the
 * kernel reports as one, for two, lets the thread run on and waits for the second until it gives up (seen with 4.2.1).
 * @throws CentroidError MIGRATION_FAILED if one does not come to stand still
 */
export async function stopPrograms(pid: number): Promise<void> {
  const stopped = new Set<number>();
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  for (;;) {
    const programs = programsOf(pid);
    for (const program of programs) {
      if (stopped.has(program)) continue;
      sendSignal(program, "SIGSTOP");
      stopped.add(program);
    }
    if (programs.every(standsStill)) return;
    if (performance.now() > deadline)
      throw new CentroidError("MIGRATION_FAILED", "a program of it does not come to stand still");
    await delay(LOOK_AGAIN_MS);
  }
}

/** True of what has ended, too. */
function standsStill(pid: number): boolean {
  try {
    const threads = readdirSync(`/proc/${pid}/task`);
    return threads.every((thread) =>
      STILL.has(stateOf(readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8"))),
    );
  } catch {
    // One that has ended between two looks; the next look is without it.
    return !existsSync(`/proc/${pid}`);
  }
}

/** The letter that Linux gives a task's state (proc_pid_stat(5)), which follows a name that may contain anything. */
function stateOf(stat: string): string {
  return stat.charAt(stat.lastIndexOf(")") + 2);
}

export function continuePrograms(pid: number): void {
  for (const program of programsOf(pid)) sendSignal(program, "SIGCONT");
}

export function sendSignal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It has ended.
  }
}

/** Memory of its own that a container would have to carry to another host, bytes. */
export async function privateBytes(pid: number): Promise<number> {
  const sizes = programsOf(pid).map(async (program) => {
    const rollup = await readFile(`/proc/${program}/smaps_rollup`, "utf8").catch(() => "");
    return Number(/^Private_Dirty:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) * 1024;
  });
  return (await Promise.all(sizes)).reduce((sum, bytes) => sum + bytes, 0);
}
