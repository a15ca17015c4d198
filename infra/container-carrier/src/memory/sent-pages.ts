/**
 * What the destination of a move already has of a room's memory, kept at the source: memory is sent in rounds, each with
 * what differs from the round before, and what criu writes once the room stands still is the last of them.
 */
import type { PageFile } from "../criu/page-file.js";
import { addPage, PAGE_BYTES, type PageMap, type PageRun } from "../criu/page-images.js";
import type { MemoryRun } from "./process-memory.js";

/** A page as it was sent. */
interface Page {
  readonly bytes: Buffer;
  readonly at: number;
}
type Pages = Map<number, Page>;

export class SentPages {
  /** By process: all pages of the last round, wherever their bytes were sent. */
  #last = new Map<number, Pages>();

  /** The next round. */
  begin(): Round {
    return new Round(this.#last);
  }

  /** What was sent in it counts as sent. */
  end(round: Round): void {
    this.#last = round.pages;
  }

  /**
   * What of a file of pages has to follow, and where the rest is.
   * @param lazily pages without which the process can run follow later
   * @returns nothing if the file is not as its list says
   */
  remainder(pid: number, { id, runs }: PageMap, file: PageFile, lazily = false): Remainder | undefined {
    const listed = runs.reduce((sum, { pages }) => sum + pages, 0);
    if (listed !== file.pages || runs.some(({ inParent }) => inParent)) return undefined;
    const known = this.#last.get(pid);
    const split: PageRun[] = [];
    const [fresh, later]: [number[], number[]] = [[], []];
    let index = 0;
    for (const run of runs) {
      const lazy = lazily && run.lazy;
      for (let page = run.firstPage; page < run.firstPage + run.pages; page++, index++) {
        const before = known?.get(page);
        const inParent = before !== undefined && isSame(before, file.page(index), 0);
        addPage(split, page, inParent, lazy);
        if (!inParent) (lazy ? later : fresh).push(index);
      }
    }
    return { map: { id, runs: split }, fresh: file.copyOf(fresh), later };
  }
}

export interface Remainder {
  readonly map: PageMap;
  /** Pages that follow at once. */
  readonly fresh: Buffer;
  /** Where in the file the pages are that follow once the process runs, in the order of their addresses. */
  readonly later: readonly number[];
}

export class Round {
  readonly pages = new Map<number, Pages>();
  /** By process: where its pages are. */
  readonly runs = new Map<number, PageRun[]>();
  readonly #before: ReadonlyMap<number, Pages>;

  constructor(before: ReadonlyMap<number, Pages>) {
    this.#before = before;
  }

  /** Of a process: what of it has to be sent; empty if all is known. */
  add(pid: number, { firstPage, bytes }: MemoryRun): Buffer {
    const before = this.#before.get(pid);
    const [pages, runs] = [of(this.pages, pid, () => new Map()), of(this.runs, pid, () => [])];
    const fresh: { page: number; bytes: Buffer }[] = [];
    for (let at = 0, page = firstPage; at < bytes.length; at += PAGE_BYTES, page++) {
      const known = before?.get(page);
      const inParent = isSame(known, bytes, at);
      addPage(runs, page, inParent);
      if (inParent && known !== undefined) pages.set(page, known);
      else fresh.push({ page, bytes: bytes.subarray(at, at + PAGE_BYTES) });
    }
    const sent = Buffer.concat(fresh.map((each) => each.bytes));
    for (const [index, { page }] of fresh.entries()) pages.set(page, { bytes: sent, at: index * PAGE_BYTES });
    return sent;
  }
}

const isSame = (known: Page | undefined, bytes: Buffer, at: number): boolean =>
  known !== undefined &&
  known.bytes.compare(bytes, at, at + PAGE_BYTES, known.at, known.at + PAGE_BYTES) === 0;

function of<V>(map: Map<number, V>, pid: number, make: () => V): V {
  const known = map.get(pid);
  if (known !== undefined) return known;
  const made = make();
  map.set(pid, made);
  return made;
}
