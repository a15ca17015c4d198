/** Processes and what they started. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** A process and its children, as /proc has them. */
export function descendants(pid: number): number[] {
  const children = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, "utf8");
        return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid;
      } catch {
        return false;
      }
    });
  return [pid, ...children.flatMap((child) => descendants(Number(child)))];
}

/** Kernel clock ticks per second in /proc (USER_HZ on Linux). */
const TICKS_PER_S = 100;

/** CPU time that a process has used since its start, ms; its children not included. */
export function cpuMsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return ((Number(fields[11]) + Number(fields[12])) * 1_000) / TICKS_PER_S;
}

/** Processes that were started with this text in their arguments or environment, whoever their parent is by now. */
export function mentioning(text: string): { pid: number; name: string }[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const cmdline = readFileSync(`/proc/${pid}/cmdline`, "utf8");
        const mentioned = cmdline + readFileSync(`/proc/${pid}/environ`, "utf8");
        return mentioned.includes(text) ? [{ pid: Number(pid), name: cmdline.replaceAll("\0", " ") }] : [];
      } catch {
        return [];
      }
    });
}

/** The process among these that listens on this TCP port of the loopback interface, or of all. */
export function listener(pids: readonly number[], port: number): number | undefined {
  const LISTEN = "0A";
  const inode = readFileSync("/proc/net/tcp", "utf8")
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .find((row) => row[3] === LISTEN && Number.parseInt(row[1]?.split(":")[1] ?? "", 16) === port)?.[9];
  return pids.find((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some(
        (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`,
      );
    } catch {
      return false;
    }
  });
}
