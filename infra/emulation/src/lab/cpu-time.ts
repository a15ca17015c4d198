/** CPU time of a benchmark: of this process, of all that it has started, and of their machines, as Linux counts it. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Linux counts in these, whatever its clock (man 5 proc, "USER_HZ"). */
const MS_PER_TICK = 10;
const MACHINE = /^qemu-system/;

interface ProcessTime {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  /** Its own, and that of children whose end it has noticed. */
  readonly ticks: number;
  readonly startedAtTicks: number;
}

/** Measures from now on. @returns milliseconds since then; nothing where the system is not Linux */
export function startCpuTime(): () => number | undefined {
  const before = cpuTimeMs();
  return () => {
    const now = cpuTimeMs();
    // What nobody noticed the end of is gone.
    return before === undefined || now === undefined ? undefined : Math.max(0, now - before);
  };
}

/**
 * Until now, in milliseconds. Machines count from when this process began: libvirt starts them as nobody's children; rooms
 * in containers are nobody's either, and what they do is not counted.
 */
function cpuTimeMs(): number | undefined {
  if (!existsSync("/proc/self/stat")) return undefined;
  const all = readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (read(name) ?? []) : []));
  const own = all.find(({ pid }) => pid === process.pid);
  const counted = new Set([process.pid]);
  for (let before = 0; before < counted.size; ) {
    before = counted.size;
    for (const { pid, parent } of all) if (counted.has(parent)) counted.add(pid);
  }
  const isOurs = ({ pid, name, startedAtTicks }: ProcessTime): boolean =>
    counted.has(pid) || (MACHINE.test(name) && startedAtTicks >= (own?.startedAtTicks ?? 0));
  return all.filter(isOurs).reduce((sum, { ticks }) => sum + ticks, 0) * MS_PER_TICK;
}

/** Nothing if it has ended. */
function read(name: string): ProcessTime | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${name}/stat`, "utf8");
  } catch {
    return undefined;
  }
  const [open, close] = [stat.indexOf("("), stat.lastIndexOf(")")];
  // From the third field on.
  const fields = stat
    .slice(close + 2)
    .split(" ")
    .map(Number);
  const field = (number: number): number => fields[number - 3] ?? 0;
  return {
    pid: Number(name),
    parent: field(4),
    name: stat.slice(open + 1, close),
    ticks: field(14) + field(15) + field(16) + field(17),
    startedAtTicks: field(22),
  };
}
