/**
 * What a room host tells its agent when it ends or hangs, on a way of its own: its channel needs a loop that turns. Loaded
 * by the watch thread, so it imports nothing large.
 */
import { appendFileSync } from "node:fs";
import type { LastWords } from "./last-words.js";

/** File descriptor of the pipe to the agent that forked it, behind the three standard ones and IPC. */
export const LAST_WORDS_FD = 4;

/** A path, or an open file descriptor. */
export type LastWordsPlace = string | number;

/** Nobody to read it is no reason to fail. */
export function tellLastWords(place: LastWordsPlace, words: LastWords): void {
  try {
    // A line of its own, also where the loop was stopped in the middle of one.
    appendFileSync(place, `\n${JSON.stringify({ type: "lastWords", ...words })}\n`);
  } catch {
    // The agent is gone, or there never was one.
  }
}
