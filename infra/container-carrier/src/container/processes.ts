/** The processes of a container, seen from its host. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

/** A container whose programs start others while they are stopped gets so many more looks. */
const MAX_LOOKS = 20;
/** False once it has ended, whether anybody has taken notice of that or not. */
export async function isAlive(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  return stat !== undefined && !/[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3));
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

/** Stops every program of a container but its first process, which only waits for them. */
export function stopPrograms(pid: number): void {
  const stopped = new Set<number>();
  for (let look = 0; look < MAX_LOOKS; look++) {
    const fresh = programsOf(pid).filter((program) => !stopped.has(program));
    if (fresh.length === 0) return;
    for (const program of fresh) {
      sendSignal(program, "SIGSTOP");
      stopped.add(program);
    }
  }
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
