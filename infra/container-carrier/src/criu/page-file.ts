/** The pages of one of criu's images, read piece by piece: memory for all of them at once would take longer than copying. */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { PAGE_BYTES } from "./page-images.js";

const MOST_PAGES = 256;

export class PageFile implements Disposable {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(MOST_PAGES * PAGE_BYTES);
  #first = 0;
  #count = 0;
  readonly pages: number;

  /** The file is in memory: waiting for a thread would take longer than reading does. */
  constructor(path: string) {
    this.#file = openSync(path, "r");
    this.pages = fstatSync(this.#file).size / PAGE_BYTES;
  }

  /** There until the next is asked for. @throws RangeError behind the last */
  page(index: number): Buffer {
    if (index < this.#first || index >= this.#first + this.#count) {
      const bytes = readSync(this.#file, this.#buffer, 0, this.#buffer.length, index * PAGE_BYTES);
      [this.#first, this.#count] = [index, Math.floor(bytes / PAGE_BYTES)];
    }
    if (index >= this.#first + this.#count) throw new RangeError(`there is no page ${index}`);
    const at = (index - this.#first) * PAGE_BYTES;
    return this.#buffer.subarray(at, at + PAGE_BYTES);
  }

  /** Copies of pages, in this order. */
  copyOf(indices: readonly number[]): Buffer {
    const bytes = Buffer.allocUnsafe(indices.length * PAGE_BYTES);
    for (const [at, index] of indices.entries()) this.page(index).copy(bytes, at * PAGE_BYTES);
    return bytes;
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
