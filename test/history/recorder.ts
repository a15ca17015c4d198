/**
 * Writes events into a folder, each with one write of its own: what a process has written survives its being killed.
 * Has no dependencies, since rooms under test bring it along into their process.
 */
import { closeSync, mkdirSync, openSync, writeSync } from "node:fs";
import { join } from "node:path";
import type { HistoryEvent } from "./events.js";

type Untimed<T> = T extends HistoryEvent ? Omit<T, "atMs"> & { atMs?: number } : never;

export class Recorder implements Disposable {
  readonly #file: number;
  #closed = false;

  /** @param name of its file; two recorders may share one */
  constructor(folder: string, name: string) {
    mkdirSync(folder, { recursive: true });
    this.#file = openSync(join(folder, `${name}.jsonl`), "a");
  }

  record(event: Untimed<HistoryEvent>): void {
    if (this.#closed) return;
    const atMs = Number(process.hrtime.bigint()) / 1e6;
    writeSync(this.#file, `${JSON.stringify({ atMs, ...event })}\n`);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }
}
