/** Pages of a room that runs at its destination already, sent by its source: those that are waited for first. */
import { PageFile } from "../criu/page-file.js";
import type { ImageWire } from "./image-wire.js";

/** What is waited for goes between two of these. */
const BATCH_PAGES = 64;
/** The next ones are wanted soon. */
const AROUND_WANTED = 16;

interface Pages {
  readonly path: string;
  /** Where the pages are in the file, in the order in which the destination counts them. */
  readonly indices: readonly number[];
  readonly sent: Uint8Array;
}

export class LaterPages {
  readonly #pages = new Map<number, Pages>();
  #wanted: { pid: number; at: number }[] = [];

  /** @param path of the file that has them */
  add(pid: number, path: string, indices: readonly number[]): void {
    this.#pages.set(pid, { path, indices, sent: new Uint8Array(indices.length) });
  }

  /** The room stands still until it has this one. */
  want(pid: number, at: number): void {
    this.#wanted.push({ pid, at });
  }

  /** Resolves when the last has gone. @throws CentroidError HOST_LOST when the connection ends */
  async send(wire: ImageWire, signal: AbortSignal): Promise<void> {
    const files = new Map([...this.#pages].map(([pid, { path }]) => [pid, new PageFile(path)]));
    try {
      for (const [pid, { indices }] of this.#pages)
        for (let at = 0; at < indices.length; at += BATCH_PAGES) {
          for (const wanted of this.#wanted.splice(0))
            await this.#push(wire, files, wanted.pid, wanted.at, AROUND_WANTED);
          // Some of the batch may have gone already.
          for (let from = at; from < at + BATCH_PAGES; from++)
            await this.#push(wire, files, pid, from, at + BATCH_PAGES - from);
          signal.throwIfAborted();
        }
    } finally {
      for (const file of files.values()) file[Symbol.dispose]();
    }
  }

  /** Sends up to so many pages in a row that have not gone yet; none if the first has. */
  async #push(
    wire: ImageWire,
    files: ReadonlyMap<number, PageFile>,
    pid: number,
    from: number,
    most: number,
  ): Promise<void> {
    const [pages, file] = [this.#pages.get(pid), files.get(pid)];
    if (pages === undefined || file === undefined) return;
    let end = from;
    while (end < pages.indices.length && end < from + most && pages.sent[end] === 0) pages.sent[end++] = 1;
    if (end === from) return;
    const bytes = file.copyOf(pages.indices.slice(from, end));
    await wire.sendPages({ pid, at: from, count: end - from }, bytes);
  }
}
