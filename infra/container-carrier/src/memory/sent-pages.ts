/**
 * What the destination of a move already has of a room's memory, kept at the source in the same order: pages are known
 * by the place in what was sent. Once the room stands still, only what differs has to follow.
 */
import { PAGE_BYTES, type PageImage } from "../criu/page-images.js";
import { PageLog } from "./page-log.js";
import type { MemoryRun } from "./process-memory.js";

/** How a file of pages is put together: so many from a place of what was sent, or from `fresh` if there is no place. */
export interface Recipe {
  readonly pieces: [place: number | null, pages: number][];
  readonly fresh: Buffer;
}

export class SentPages {
  /** Places of pages in what was sent, by process and page. */
  readonly #places = new Map<number, Map<number, number>>();
  readonly #sent = new PageLog();

  /** Of a process: what of it has to be sent, and counts as sent from now on; undefined if all is known. */
  add(pid: number, { firstPage, bytes }: MemoryRun): Buffer | undefined {
    const places = this.#placesOf(pid);
    const fresh: Buffer[] = [];
    const pages = bytes.length / PAGE_BYTES;
    for (let page = 0; page < pages; page++) {
      const content = bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
      const place = places.get(firstPage + page);
      if (place !== undefined && content.equals(this.#sent.page(place))) continue;
      places.set(firstPage + page, this.#sent.pages + fresh.length);
      fresh.push(content);
    }
    if (fresh.length === 0) return undefined;
    const sent = fresh.length === pages ? bytes : Buffer.concat(fresh);
    this.#sent.append(sent);
    return sent;
  }

  #placesOf(pid: number): Map<number, number> {
    const known = this.#places.get(pid);
    if (known !== undefined) return known;
    const places = new Map<number, number>();
    this.#places.set(pid, places);
    return places;
  }

  /**
   * @param content of the file
   * @returns nothing if the file is not as its list says
   */
  recipe(image: PageImage, content: Buffer): Recipe | undefined {
    const places = this.#placesOf(image.pid);
    const pieces: [number | null, number][] = [];
    const fresh: Buffer[] = [];
    let at = 0;
    for (const { firstPage, pages } of image.runs)
      for (let page = firstPage; page < firstPage + pages; page++, at += PAGE_BYTES) {
        const bytes = content.subarray(at, at + PAGE_BYTES);
        const place = places.get(page);
        const isKnown = place !== undefined && bytes.equals(this.#sent.page(place));
        if (!isKnown) fresh.push(bytes);
        add(pieces, isKnown ? place : null);
      }
    return at === content.length ? { pieces, fresh: Buffer.concat(fresh) } : undefined;
  }
}

/** One more page, as part of the last piece where it follows that. */
function add(pieces: [number | null, number][], place: number | null): void {
  const last = pieces.at(-1);
  const follows = last !== undefined && (last[0] === null ? place === null : place === last[0] + last[1]);
  if (follows) last[1]++;
  else pieces.push([place, 1]);
}
