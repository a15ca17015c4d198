/** Pages one after the other, as they were sent or have come; each is known by its place. */
import { PAGE_BYTES } from "../criu/page-images.js";

export class PageLog {
  readonly #chunks: { readonly first: number; readonly bytes: Buffer }[] = [];
  pages = 0;

  /** @param bytes whole pages */
  append(bytes: Buffer): void {
    this.#chunks.push({ first: this.pages, bytes });
    this.pages += bytes.length / PAGE_BYTES;
  }

  /** @throws RangeError if there is none at that place */
  page(place: number): Buffer {
    const [page] = this.slices(place, 1);
    if (page === undefined) throw new RangeError(`there is no page ${place}`);
    return page;
  }

  /** Bytes of `count` pages from a place on. @throws RangeError if they are not all there */
  slices(place: number, count: number): Buffer[] {
    if (place < 0 || place + count > this.pages)
      throw new RangeError(`there are no pages ${place} to ${place + count}`);
    const found: Buffer[] = [];
    for (let at = this.#chunkOf(place), left = count, next = place; left > 0; at++) {
      const chunk = this.#chunks[at];
      if (chunk === undefined) break;
      const from = (next - chunk.first) * PAGE_BYTES;
      const slice = chunk.bytes.subarray(from, from + left * PAGE_BYTES);
      found.push(slice);
      left -= slice.length / PAGE_BYTES;
      next += slice.length / PAGE_BYTES;
    }
    return found;
  }

  #chunkOf(place: number): number {
    let low = 0;
    let high = this.#chunks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#chunks[middle]?.first ?? 0) <= place) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
