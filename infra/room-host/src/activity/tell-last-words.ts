/**
 * What a room host tells its agent when it ends or hangs, over a pipe of its own: IPC needs a loop that turns. Loaded by
 * the watch thread, so it imports nothing large.
 */
import { writeSync } from "node:fs";
import type { LastWords } from "./last-words.js";

/** File descriptor of that pipe, behind the three standard ones and IPC. */
export const LAST_WORDS_FD = 4;

/** One line; nobody to read it is no reason to fail. */
export function tellLastWords(words: LastWords): void {
  try {
    writeSync(LAST_WORDS_FD, `${JSON.stringify(words)}\n`);
  } catch {
    // The agent is gone, or there never was one.
  }
}
