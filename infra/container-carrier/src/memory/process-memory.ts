/** The private memory of a process that runs, read from outside: what may have changed by the next look is no matter. */
import { open, readFile } from "node:fs/promises";
import { PAGE_BYTES } from "../criu/page-images.js";

const ENTRY_BYTES = 8;
/** Upper halves of the kernel's entries (Documentation/admin-guide/mm/pagemap.rst): present, and not of a file. */
const PRESENT = 0x80000000;
const OF_FILE = 0x20000000;
/** More at once would hold up the agent. */
const MAX_RUN_PAGES = 1_024;

export interface MemoryRun {
  readonly firstPage: number;
  readonly bytes: Buffer;
}

/** Runs of pages that the process alone has, in the order of their addresses. */
export async function* privateMemory(pid: number): AsyncGenerator<MemoryRun> {
  const maps = await readFile(`/proc/${pid}/maps`, "utf8");
  await using memory = await open(`/proc/${pid}/mem`, "r");
  await using pagemap = await open(`/proc/${pid}/pagemap`, "r");
  for (const line of maps.split("\n")) {
    const [, from = "", to = ""] = /^([0-9a-f]+)-([0-9a-f]+) r..p (?!.*\[v)/.exec(line) ?? [];
    if (from === "") continue;
    const first = Number.parseInt(from, 16) / PAGE_BYTES;
    const pages = Number.parseInt(to, 16) / PAGE_BYTES - first;
    const entries = Buffer.alloc(pages * ENTRY_BYTES);
    await pagemap.read(entries, 0, entries.length, first * ENTRY_BYTES);
    for (const { at, count } of runsOf(entries, pages)) {
      const bytes = Buffer.allocUnsafe(count * PAGE_BYTES);
      // What has gone meanwhile is not needed.
      const read = await memory
        .read(bytes, 0, bytes.length, (first + at) * PAGE_BYTES)
        .catch(() => undefined);
      if (read?.bytesRead === bytes.length) yield { firstPage: first + at, bytes };
    }
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
export async function pidInside(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1]);
}
