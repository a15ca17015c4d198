/**
 * The broker's log beside its store: a few files of bounded size, readable by their owner only. A disk that takes no
 * more costs lines, never the broker.
 */
import { chmodSync, closeSync, fstatSync, mkdirSync, openSync, renameSync, writeSync } from "node:fs";
import { dirname } from "node:path";

const MAX_BYTES = 10_000_000;
/** Older ones beside the current one. */
const KEPT = 4;
const MODE = 0o600;

export interface LogFileOptions {
  maxBytes?: number;
  kept?: number;
}

export class LogFile implements Disposable {
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #kept: number;
  #file: number | undefined;
  #bytes = 0;
  #dropped = 0;

  constructor(path: string, { maxBytes = MAX_BYTES, kept = KEPT }: LogFileOptions = {}) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#kept = kept;
  }

  /** Lines that could not be written since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  /** As pino calls it. */
  write(line: string): void {
    try {
      if (this.#bytes >= this.#maxBytes) this.#rotate();
      this.#file ??= this.#open();
      this.#bytes += writeSync(this.#file, line);
    } catch {
      this.#dropped++;
    }
  }

  #open(): number {
    mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
    const file = openSync(this.#path, "a", MODE);
    // One of before may be open to all.
    chmodSync(this.#path, MODE);
    this.#bytes = fstatSync(file).size;
    return file;
  }

  /** `broker.log` becomes `broker.log.1`, and so on; the oldest goes. */
  #rotate(): void {
    this[Symbol.dispose]();
    this.#bytes = 0;
    for (let age = this.#kept; age >= 1; age--) {
      const from = age === 1 ? this.#path : `${this.#path}.${age - 1}`;
      try {
        renameSync(from, `${this.#path}.${age}`);
      } catch {
        // There are not so many yet.
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
