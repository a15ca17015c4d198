/**
 * Copies of pages, kept in a file on a tmpfs that has no name: the kernel takes memory for it many times faster than for a
 * process, which pays for the first use of each page.
 */
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { PAGE_BYTES } from "../criu/page-images.js";
import { PageWindow } from "../criu/page-window.js";

export class PageStore implements Disposable {
  readonly #file: number;
  readonly #window: PageWindow;
  #pages = 0;

  /** @param path of a file that is made, and removed at once */
  constructor(path: string) {
    this.#file = openSync(path, "wx+", 0o600);
    this.#window = new PageWindow(this.#file);
    unlinkSync(path);
  }

  /** There until the next call. @throws RangeError for what was never kept */
  page(at: number): Buffer {
    return this.#window.page(at);
  }

  /** @param bytes whole pages @returns where the first of them is, the others behind it */
  add(bytes: Buffer): number {
    const at = this.#pages;
    writeAt(this.#file, bytes, at * PAGE_BYTES);
    this.#pages += bytes.length / PAGE_BYTES;
    return at;
  }

  /** In place of what was there. */
  replace(at: number, page: Buffer): void {
    writeAt(this.#file, page, at * PAGE_BYTES);
    this.#window.replaced(at, page);
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}

function writeAt(file: number, bytes: Buffer, position: number): void {
  for (let written = 0; written < bytes.length; )
    written += writeSync(file, bytes, written, bytes.length - written, position + written);
}
