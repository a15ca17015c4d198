/** Where the pages are, at the destination of a move, that a process gets from others than criu. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type PageRun, pagemapName, pagemapPid, parsePageMap } from "../criu/page-images.js";

/** Folder of a round of memory that was sent ahead. */
export const roundName = (round: number): string => `ahead-${round}`;
/** File of the pages of a process that follow once it runs. */
export const laterName = (pid: number): string => `lazy-${pid}.img`;

/** Pages in a row, in a file. */
export interface PlacedRun {
  readonly pid: number;
  /** Its file is in the folder of this round that was sent ahead; 0: in that of what was sent last. */
  readonly round: number;
  /** That the name of the file has; 0: the pages follow once the process runs. */
  readonly id: number;
  readonly firstPage: number;
  readonly pages: number;
  /** The first of them in its file. */
  readonly at: number;
}

/**
 * @param folder of the last round; those before are in folders within
 * @param rounds that were sent ahead
 * @throws RangeError if a page is nowhere
 */
export function* lazyPages(folder: string, rounds: number): Generator<PlacedRun> {
  for (const name of readdirSync(folder)) {
    const pid = pagemapPid(name);
    const map = pid === undefined ? undefined : parsePageMap(readFileSync(join(folder, name)));
    if (pid === undefined || map === undefined) continue;
    const sent = Array.from({ length: rounds }, (_, before) =>
      Round.read(join(folder, roundName(before + 1)), pid),
    );
    const at = { here: 0, later: 0 };
    for (const { firstPage, pages, where, lazy } of map.runs) {
      if (where === "before") {
        if (lazy) yield* placesOf(pid, firstPage, pages, sent);
        continue;
      }
      const id = where === "here" ? map.id : 0;
      if (lazy) yield { pid, round: 0, id, firstPage, pages, at: at[where] };
      at[where] += pages;
    }
  }
}

/** Each page is in the latest round that has it itself. */
function* placesOf(
  pid: number,
  first: number,
  count: number,
  rounds: readonly Round[],
): Generator<PlacedRun> {
  let last: (PlacedRun & { pages: number }) | undefined;
  for (let page = first; page < first + count; page++) {
    let round = rounds.length;
    let place = rounds[round - 1]?.find(page);
    while (place === "before") place = rounds[--round - 1]?.find(page);
    if (place === undefined) throw new RangeError(`page ${page} of process ${pid} was not sent`);
    if (last !== undefined && last.round === round && last.at + last.pages === place) last.pages++;
    else {
      if (last !== undefined) yield last;
      last = { pid, round, id: pid, firstPage: page, pages: 1, at: place };
    }
  }
  if (last !== undefined) yield last;
}

/** Pages of one process in one round, and where its file has them. */
class Round {
  readonly #runs: readonly (PageRun & { readonly at: number })[];

  private constructor(runs: readonly PageRun[]) {
    let at = 0;
    this.#runs = runs.map((run) => {
      const placed = { ...run, at };
      if (run.where === "here") at += run.pages;
      return placed;
    });
  }

  static read(folder: string, pid: number): Round {
    try {
      return new Round(parsePageMap(readFileSync(join(folder, pagemapName(pid))))?.runs ?? []);
    } catch {
      // A process that began later.
      return new Round([]);
    }
  }

  find(page: number): number | "before" | undefined {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const run = this.#runs[middle];
      if (run !== undefined && run.firstPage + run.pages <= page) low = middle + 1;
      else high = middle;
    }
    const run = this.#runs[low];
    if (run === undefined || run.firstPage > page) return undefined;
    return run.where === "before" ? "before" : run.at + page - run.firstPage;
  }
}
