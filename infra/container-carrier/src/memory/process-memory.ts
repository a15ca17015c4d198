/**
 * The private memory of a process that runs, read from outside: what may have changed by the next look is no matter. Read
 * without the help of threads: reading takes less time than waiting for one, and there are thousands of small pieces.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";
import { PAGE_BYTES } from "../criu/page-images.js";

const ENTRY_BYTES = 8;
/** Upper halves of the kernel's entries (Documentation/admin-guide/mm/pagemap.rst): present, and not of a file. */
const PRESENT = 0x80000000;
const OF_FILE = 0x20000000;
/** More at once would hold up the agent. */
const MAX_RUN_PAGES = 256;
export const MAX_RUN_BYTES: number = MAX_RUN_PAGES * PAGE_BYTES;

export interface MemoryRun {
  readonly firstPage: number;
  /** Whole pages; the reader's, until it asks for the next run. */
  readonly bytes: Buffer;
}

/** Runs of pages that the process alone has, in the order of their addresses. @throws if it cannot be read */
export function* privateMemory(pid: number): Generator<MemoryRun> {
  const maps = readFileSync(`/proc/${pid}/maps`, "utf8");
  const memory = openSync(`/proc/${pid}/mem`, "r");
  const pagemap = openSync(`/proc/${pid}/pagemap`, "r");
  const buffer = Buffer.allocUnsafe(MAX_RUN_BYTES);
  try {
    for (const line of maps.split("\n")) {
      const [, from = "", to = ""] = /^([0-9a-f]+)-([0-9a-f]+) r..p (?!.*\[v)/.exec(line) ?? [];
      if (from === "") continue;
      const first = Number.parseInt(from, 16) / PAGE_BYTES;
      const pages = Number.parseInt(to, 16) / PAGE_BYTES - first;
      const entries = Buffer.alloc(pages * ENTRY_BYTES);
      readSync(pagemap, entries, 0, entries.length, first * ENTRY_BYTES);
      for (const { at, count } of runsOf(entries, pages)) {
        const bytes = buffer.subarray(0, count * PAGE_BYTES);
        if (readAll(memory, bytes, (first + at) * PAGE_BYTES)) yield { firstPage: first + at, bytes };
      }
    }
  } finally {
    closeSync(memory);
    closeSync(pagemap);
  }
}

/** False for what has gone meanwhile: it is not needed. */
function readAll(fd: number, bytes: Buffer, position: number): boolean {
  try {
    return readSync(fd, bytes, 0, bytes.length, position) === bytes.length;
  } catch {
    return false;
  }
}

function* runsOf(entries: Buffer, pages: number): Generator<{ at: number; count: number }> {
  let count = 0;
  for (let at = 0; at <= pages; at++) {
    const entry = at < pages ? entries.readUInt32LE(at * ENTRY_BYTES + 4) : 0;
    const isPrivate = (entry & PRESENT) !== 0 && (entry & OF_FILE) === 0;
    if (count > 0 && (!isPrivate || count === MAX_RUN_PAGES)) {
      yield { at: at - count, count };
      count = 0;
    }
    if (isPrivate) count++;
  }
}

/** The number that a process has in its own container. */
export function pidInside(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1]);
}
