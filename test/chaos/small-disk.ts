/** A disk of a few megabytes for a state folder, which a test can fill up. Needs root. */
import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";

const SIZE_MB = 24;

/** A program that is being started has found its disk full, or failing, by then, on a busy machine too. */
export const STARTS_WITHIN_MS = 10_000;

export class SmallDisk implements Disposable {
  readonly folder: string;
  readonly #filler: string;
  #full = false;
  #emptiedAtMs = 0;

  /** @returns undefined where this user may not mount */
  static mount(folder: string): SmallDisk | undefined {
    if (process.getuid?.() !== 0) return undefined;
    mkdirSync(folder, { recursive: true });
    try {
      execFileSync("mount", ["-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", folder], { stdio: "ignore" });
    } catch {
      return undefined;
    }
    return new SmallDisk(folder);
  }

  private constructor(folder: string) {
    this.folder = folder;
    this.#filler = join(folder, "filler");
  }

  /** True for a program that looks now, or a moment ago: it was full. */
  get wasFull(): boolean {
    return this.#full || Date.now() < this.#emptiedAtMs + STARTS_WITHIN_MS;
  }

  fill(): void {
    this.#full = true;
    const file = openSync(this.#filler, "a");
    try {
      for (const piece of [Buffer.alloc(64 * 1024), Buffer.alloc(512)]) {
        try {
          for (;;) writeSync(file, piece);
        } catch {
          // Full, for pieces of this size.
        }
      }
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    this.#full = false;
    this.#emptiedAtMs = Date.now();
    rmSync(this.#filler, { force: true });
  }

  [Symbol.dispose](): void {
    execFileSync("umount", ["-l", this.folder], { stdio: "ignore" });
  }
}
