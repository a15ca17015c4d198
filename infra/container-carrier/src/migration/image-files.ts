/** A folder of criu's images on its way, and memory that goes ahead of it while the room still runs. */
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  symlinkSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { CentroidError } from "@centroid/protocol";
import { PageFile } from "../criu/page-file.js";
import {
  PAGE_BYTES,
  PARENT_LINK,
  pagemapPid,
  pagesName,
  parsePageMap,
  renderPageMap,
} from "../criu/page-images.js";
import { laterName, roundName } from "../memory/page-places.js";
import type { SentPages } from "../memory/sent-pages.js";
import { type FileToSend, fileOf, type ImageWire, type ToDestination } from "./image-wire.js";
import type { LaterPages } from "./later-pages.js";

/** Whole pages. */
const CHUNK_BYTES = 256 * PAGE_BYTES;

/**
 * Sends every file of a folder; of pages what the destination does not have. The folder is memory: waiting for a thread
 * would take longer than reading does. Memory is not taken for all of it at once: that would take longer than copying.
 * @param sent what the destination has by now
 * @param later gets the pages that may follow once the room runs there; without it there are none, as without `sent`
 */
export async function sendFolder(
  wire: ImageWire,
  folder: string,
  sent?: SentPages,
  later?: LaterPages,
): Promise<void> {
  const files = new Map<string, FileToSend>();
  for (const name of readdirSync(folder)) files.set(name, wholeFile(folder, name));
  if (sent !== undefined) for (const file of remainders(folder, sent, later)) files.set(file.name, file);
  await wire.sendFiles(0, [...files.values()]);
}

const wholeFile = (folder: string, name: string): FileToSend => ({
  name,
  bytes: statSync(join(folder, name)).size,
  chunks: chunksOf(join(folder, name)),
});

/** Page maps, and their pages, of which the destination has some. */
function* remainders(folder: string, sent: SentPages, later?: LaterPages): Generator<FileToSend> {
  for (const name of readdirSync(folder)) {
    const pid = pagemapPid(name);
    const map = pid === undefined ? undefined : parsePageMap(readFileSync(join(folder, name)));
    if (pid === undefined || map === undefined) continue;
    const path = join(folder, pagesName(map.id));
    using file = new PageFile(path);
    const rest = sent.remainder(pid, map, file, later !== undefined);
    if (rest === undefined) continue;
    later?.add(pid, path, rest.later);
    yield fileOf(name, renderPageMap(rest.map));
    const chunks = pagesOf(path, rest.fresh);
    yield { name: pagesName(map.id), bytes: rest.fresh.length * PAGE_BYTES, chunks };
  }
}

/** Some pages of a file, some at a time, each time in the same memory. */
function* pagesOf(path: string, indices: readonly number[]): Generator<Buffer> {
  using file = new PageFile(path);
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let filled = 0;
  for (const index of indices) {
    filled += file.page(index).copy(chunk, filled);
    if (filled < chunk.length) continue;
    yield chunk;
    filled = 0;
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}

/** Of a file, each in the place of the one before. */
function* chunksOf(path: string): Generator<Buffer> {
  const file = openSync(path, "r");
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  try {
    for (;;) {
      const bytes = readSync(file, buffer);
      if (bytes === 0) return;
      yield buffer.subarray(0, bytes);
    }
  } finally {
    closeSync(file);
  }
}

/** Writes what comes into folders as criu wants them: the last round refers to the one before, and so on. */
export class ImageReceiver implements Disposable {
  readonly #folder: string;
  readonly #open = new Map<string, number>();
  #rounds = 0;
  #bytesLeft: number;

  /** @param mostBytes more is refused */
  constructor(folder: string, mostBytes: number) {
    this.#folder = folder;
    this.#bytesLeft = mostBytes;
  }

  /** Appends what a message announces to its files. */
  async receive(
    wire: ImageWire,
    { round, files }: Extract<ToDestination, { type: "files" }>,
    signal: AbortSignal,
  ): Promise<void> {
    if (round > this.#rounds + 1) throw new CentroidError("BAD_REQUEST", "memory comes in the wrong order");
    if (round > this.#rounds) this.#begin(round);
    for (const { name, bytes } of files) {
      this.#count(bytes);
      const file = this.#file(join(this.#folderOf(round), name));
      // The folder is memory: waiting for a thread would take longer than writing does.
      await wire.read(bytes, (chunk) => writeAll(file, chunk), signal);
    }
  }

  /** Pages of a process that runs already, to their places in a file that is there. */
  async receivePages(
    wire: ImageWire,
    { pid, at, count }: Extract<ToDestination, { type: "pages" }>,
    signal: AbortSignal,
  ): Promise<void> {
    const bytes = count * PAGE_BYTES;
    this.#count(bytes);
    const path = join(this.#folder, laterName(pid));
    let position = at * PAGE_BYTES;
    const put = (chunk: Buffer): void => {
      writeAll(this.#later(path), chunk, position);
      position += chunk.length;
    };
    await wire.read(bytes, put, signal);
  }

  /** Opened once, and never made: a source does not name files here. */
  #later(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const file = openSync(path, "r+");
    this.#open.set(path, file);
    return file;
  }

  #count(bytes: number): void {
    this.#bytesLeft -= bytes;
    if (this.#bytesLeft < 0)
      throw new CentroidError("BAD_REQUEST", "more memory comes than a room of this host may have");
  }

  #begin(round: number): void {
    mkdirSync(this.#folderOf(round), { mode: 0o700 });
    if (round > 1) symlinkSync(`../${roundName(round - 1)}`, join(this.#folderOf(round), PARENT_LINK));
    this.#rounds = round;
  }

  #folderOf(round: number): string {
    return round === 0 ? this.#folder : join(this.#folder, roundName(round));
  }

  #file(path: string): number {
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const file = openSync(path, "ax", 0o600);
    this.#open.set(path, file);
    return file;
  }

  /** All that criu needs is there. @param rounds that were sent completely */
  end(rounds: number): void {
    if (rounds > 0) symlinkSync(roundName(rounds), join(this.#folder, PARENT_LINK));
    this[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    for (const file of this.#open.values()) closeSync(file);
    this.#open.clear();
  }
}

/** @param position in the file; behind what was written last if not given */
function writeAll(file: number, chunk: Buffer, position?: number): void {
  for (let written = 0; written < chunk.length; ) {
    const at = position === undefined ? null : position + written;
    written += writeSync(file, chunk, written, chunk.length - written, at);
  }
}
