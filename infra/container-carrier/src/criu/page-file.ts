/** The pages of one of criu's images. */
import { closeSync, fstatSync, openSync } from "node:fs";
import { PAGE_BYTES } from "./page-images.js";
import { PageWindow } from "./page-window.js";

export class PageFile implements Disposable {
  readonly #file: number;
  readonly #window: PageWindow;
  readonly pages: number;

  constructor(path: string) {
    this.#file = openSync(path, "r");
    this.#window = new PageWindow(this.#file);
    this.pages = fstatSync(this.#file).size / PAGE_BYTES;
  }

  /** There until the next is asked for. @throws RangeError behind the last */
  page(index: number): Buffer {
    return this.#window.page(index);
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
