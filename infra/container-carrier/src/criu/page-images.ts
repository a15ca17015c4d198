/**
 * Which memory criu's page images hold, page by page: `pagemap-PID.img` lists runs of addresses, in the order in which
 * their bytes stand in `pages-ID.img`. Its layout is two magic numbers, then protobuf messages, each behind its length
 * (criu's images/pagemap.proto). Whatever is not understood is left out, and is then sent like any other file.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** On every x86-64 and on most ARM machines; criu's images count in it. */
export const PAGE_BYTES = 4_096;

const COMMON_MAGIC = 0x54564319;
const PAGEMAP_MAGIC = 0x56084025;
const HEADER_BYTES = 8;
const LENGTH_BYTES = 4;
const IN_PARENT = 1;

/** A file of pages of one process. */
export interface PageImage {
  readonly name: string;
  /** As the container numbers its processes. */
  readonly pid: number;
  readonly runs: readonly PageRun[];
}

interface PageRun {
  readonly firstPage: number;
  readonly pages: number;
}

export async function readPageImages(folder: string): Promise<PageImage[]> {
  const images: PageImage[] = [];
  for (const name of await readdir(folder)) {
    const [, pid] = /^pagemap-(\d+)\.img$/.exec(name) ?? [];
    if (pid === undefined) continue;
    const image = pageImageOf(Number(pid), await readFile(join(folder, name)));
    if (image !== undefined) images.push(image);
  }
  return images;
}

/** @param bytes of a `pagemap-PID.img` @returns nothing if it is not as expected */
function pageImageOf(pid: number, bytes: Buffer): PageImage | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  if (bytes.readUInt32LE(0) !== COMMON_MAGIC || bytes.readUInt32LE(4) !== PAGEMAP_MAGIC) return undefined;
  const [head, ...entries] = messages(bytes.subarray(HEADER_BYTES));
  const id = head?.get(1);
  if (id === undefined) return undefined;
  const runs: PageRun[] = [];
  for (const entry of entries) {
    const address = entry.get(1);
    const pages = entry.get(5) ?? entry.get(2);
    if (address === undefined || pages === undefined || address % PAGE_BYTES !== 0) return undefined;
    // Bytes that are elsewhere are not in the file.
    if (entry.get(3) === 1 || ((entry.get(4) ?? 0) & IN_PARENT) !== 0) return undefined;
    runs.push({ firstPage: address / PAGE_BYTES, pages });
  }
  return { name: `pages-${id}.img`, pid, runs };
}

/** Numbers of each message by field; there is nothing else in these. */
function messages(bytes: Buffer): Map<number, number>[] {
  const found: Map<number, number>[] = [];
  for (let at = 0; at + LENGTH_BYTES <= bytes.length; ) {
    const end = at + LENGTH_BYTES + bytes.readUInt32LE(at);
    found.push(fields(bytes.subarray(at + LENGTH_BYTES, end)));
    at = end;
  }
  return found;
}

function fields(message: Buffer): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = 0; at < message.length; ) {
    const key = varint(message, at);
    const value = varint(message, key.next);
    found.set(Math.floor(key.value / 8), value.value);
    at = value.next;
  }
  return found;
}

function varint(bytes: Buffer, from: number): { value: number; next: number } {
  let value = 0;
  let at = from;
  for (let unit = 1; at < bytes.length; unit *= 128) {
    const byte = bytes[at++] ?? 0;
    value += (byte & 127) * unit;
    if (byte < 128) break;
  }
  return { value, next: at };
}
