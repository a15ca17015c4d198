/** Reads pages of a file on a tmpfs, some at a time: memory for all of them at once would take longer than copying. */
import { readSync } from "node:fs";
import { PAGE_BYTES } from "./page-images.js";

const MOST_PAGES = 256;

export class PageWindow {
  readonly #file: number;
  readonly #buffer = Buffer.allocUnsafe(MOST_PAGES * PAGE_BYTES);
  #first = 0;
  #count = 0;

  /** The file is in memory: waiting for a thread would take longer than reading does. */
  constructor(file: number) {
    this.#file = file;
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

  /** That page of the file is another now. */
  replaced(index: number, page: Buffer): void {
    if (index >= this.#first && index < this.#first + this.#count)
      page.copy(this.#buffer, (index - this.#first) * PAGE_BYTES);
  }
}
