/**
 * What the destination of a move already has of a room's memory, kept at the source: memory is sent in rounds, each with
 * what differs from the round before, and what criu writes once the room stands still is the last of them.
 */
import type { PageFile } from "../criu/page-file.js";
import { addPage, PAGE_BYTES, type PageMap, type PageRun } from "../criu/page-images.js";
import { PageStore } from "./page-store.js";
import type { MemoryRun } from "./process-memory.js";

/** Where copies of pages are, as they were sent. */
type Pages = Map<number, number>;

export class SentPages implements Disposable {
  readonly #store: PageStore;
  /** By process: all pages of the last round, whenever their bytes were sent. */
  #last = new Map<number, Pages>();

  /** @param path of a file on a tmpfs that can be made, and is gone at once */
  constructor(path: string) {
    this.#store = new PageStore(path);
  }

  /** The next round. */
  begin(): Round {
    return new Round(this.#store, this.#last);
  }

  /** What was sent in it counts as sent. Of one that does not end, nothing does, nor what it sent again. */
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
    if (listed !== file.pages || runs.some(({ where }) => where !== "here")) return undefined;
    const known = this.#last.get(pid);
    const split: PageRun[] = [];
    const [fresh, later]: [number[], number[]] = [[], []];
    let index = 0;
    for (const run of runs) {
      const otherwise = lazily && run.lazy ? "later" : "here";
      for (let page = run.firstPage; page < run.firstPage + run.pages; page++, index++) {
        const before = known?.get(page);
        const isKnown = before !== undefined && this.#store.page(before).equals(file.page(index));
        const where = isKnown ? "before" : otherwise;
        addPage(split, page, where, run.lazy);
        if (where === "later") later.push(index);
        else if (where === "here") fresh.push(index);
      }
    }
    return { map: { id, runs: split }, fresh, later };
  }

  [Symbol.dispose](): void {
    this.#store[Symbol.dispose]();
  }
}

export interface Remainder {
  readonly map: PageMap;
  /** Where in the file the pages are that follow at once, in the order of their addresses. */
  readonly fresh: readonly number[];
  /** Those that follow once the process runs. */
  readonly later: readonly number[];
}

export class Round {
  readonly pages = new Map<number, Pages>();
  /** By process: where its pages are. */
  readonly runs = new Map<number, PageRun[]>();
  readonly #store: PageStore;
  readonly #before: ReadonlyMap<number, Pages>;

  constructor(store: PageStore, before: ReadonlyMap<number, Pages>) {
    this.#store = store;
    this.#before = before;
  }

  /** Of a process: what of it has to be sent, as parts of what is given; none if all is known. */
  add(pid: number, { firstPage, bytes }: MemoryRun): Buffer[] {
    const before = this.#before.get(pid);
    const [pages, runs] = [of(this.pages, pid, () => new Map()), of(this.runs, pid, () => [])];
    const fresh: Buffer[] = [];
    let [from, unknown] = [0, 0];
    const send = (to: number): void => {
      if (to > from) fresh.push(bytes.subarray(from, to));
    };
    const keep = (to: number): void => {
      if (to === unknown) return;
      const first = this.#store.add(bytes.subarray(unknown, to));
      for (let at = unknown; at < to; at += PAGE_BYTES)
        pages.set(firstPage + at / PAGE_BYTES, first + (at - unknown) / PAGE_BYTES);
    };
    for (let at = 0, page = firstPage; at < bytes.length; at += PAGE_BYTES, page++) {
      const place = before?.get(page);
      const now = bytes.subarray(at, at + PAGE_BYTES);
      const isKnown = place !== undefined && this.#store.page(place).equals(now);
      addPage(runs, page, isKnown ? "before" : "here");
      if (isKnown) {
        send(at);
        from = at + PAGE_BYTES;
      }
      if (place === undefined) continue;
      keep(at);
      unknown = at + PAGE_BYTES;
      pages.set(page, place);
      if (isKnown) continue;
      this.#store.replace(place, now);
      before?.delete(page);
    }
    send(bytes.length);
    keep(bytes.length);
    return fresh;
  }
}

function of<V>(map: Map<number, V>, pid: number, make: () => V): V {
  const known = map.get(pid);
  if (known !== undefined) return known;
  const made = make();
  map.set(pid, made);
  return made;
}
