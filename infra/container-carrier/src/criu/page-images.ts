/**
 * Which memory criu's page images hold, page by page: `pagemap-PID.img` lists runs of addresses, in the order in which
 * their bytes stand in `pages-ID.img`. A run may be in the folder's `parent` instead, a folder of the same kind. The
 * layout is two magic numbers, then protobuf messages, each behind its length (criu's images/pagemap.proto).
 */
import { decode, encode, type Field } from "./protobuf.js";

/** On every x86-64 and on most ARM machines; criu's images count in it. */
export const PAGE_BYTES = 4_096;
/** In a folder of images: where the pages are that it does not have itself. */
export const PARENT_LINK = "parent";

const COMMON_MAGIC = 0x54564319;
const PAGEMAP_MAGIC = 0x56084025;
const HEADER_BYTES = 8;
const LENGTH_BYTES = 4;
const IN_PARENT = 1;
const LAZY = 2;
const PRESENT = 4;
const FLAG = { before: IN_PARENT, here: PRESENT, later: 0 } as const;

export const pagemapName = (pid: number): string => `pagemap-${pid}.img`;
export const pagesName = (id: number): string => `pages-${id}.img`;

export interface PageRun {
  readonly firstPage: number;
  pages: number;
  /** In the file of this folder, in the folder before, or in neither: they are sent once the process runs. */
  readonly where: "here" | "before" | "later";
  /** Somebody else than criu can give them to the process. */
  readonly lazy: boolean;
}

/** Pages of one process. */
export interface PageMap {
  /** Of the file that has their bytes. */
  readonly id: number;
  readonly runs: readonly PageRun[];
}

/** Process id in a container of which this is the page map; undefined for any other file. */
export function pagemapPid(name: string): number | undefined {
  const [, pid] = /^pagemap-(\d+)\.img$/.exec(name) ?? [];
  return pid === undefined ? undefined : Number(pid);
}

/** @param bytes of a `pagemap-PID.img` @returns nothing if it is not as expected */
export function parsePageMap(bytes: Buffer): PageMap | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  if (bytes.readUInt32LE(0) !== COMMON_MAGIC || bytes.readUInt32LE(4) !== PAGEMAP_MAGIC) return undefined;
  try {
    const [head, ...entries] = messages(bytes.subarray(HEADER_BYTES));
    const id = head?.get(1);
    if (typeof id !== "number") return undefined;
    const runs: PageRun[] = [];
    for (const entry of entries) {
      const [address, pages, flags] = [entry.get(1), entry.get(5) ?? entry.get(2), entry.get(4) ?? 0];
      if (typeof address !== "number" || typeof pages !== "number" || typeof flags !== "number")
        return undefined;
      if (address % PAGE_BYTES !== 0 || entry.get(3) === 1) return undefined;
      const where = (flags & IN_PARENT) !== 0 ? "before" : (flags & PRESENT) !== 0 ? "here" : "later";
      runs.push({ firstPage: address / PAGE_BYTES, pages, where, lazy: (flags & LAZY) !== 0 });
    }
    return { id, runs };
  } catch {
    return undefined;
  }
}

function messages(bytes: Buffer): Map<number, number | Buffer>[] {
  const found: Map<number, number | Buffer>[] = [];
  for (let at = 0; at + LENGTH_BYTES <= bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
    found.push(decode(bytes.subarray(at + LENGTH_BYTES, end)));
    at = end;
  }
  return found;
}

/** Bytes of a `pagemap-PID.img`. */
export function renderPageMap({ id, runs }: PageMap): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt32LE(COMMON_MAGIC, 0);
  header.writeUInt32LE(PAGEMAP_MAGIC, 4);
  const parts = [header, message([[1, id]])];
  for (const { firstPage, pages, where, lazy } of runs)
    parts.push(
      message([
        [1, firstPage * PAGE_BYTES],
        [2, pages],
        [4, (lazy ? LAZY : 0) | FLAG[where]],
        [5, pages],
      ]),
    );
  return Buffer.concat(parts);
}

function message(fields: readonly Field[]): Buffer {
  const bytes = encode(fields);
  const length = Buffer.alloc(LENGTH_BYTES);
  length.writeUInt32LE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** Adds a page to runs that are in the order of their addresses. */
export function addPage(runs: PageRun[], page: number, where: PageRun["where"], lazy = false): void {
  const last = runs.at(-1);
  const isSame = last?.where === where && last.lazy === lazy && last.firstPage + last.pages === page;
  if (isSame) last.pages++;
  else runs.push({ firstPage: page, pages: 1, where, lazy });
}
