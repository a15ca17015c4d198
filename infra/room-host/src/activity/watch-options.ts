/** How a room host is watched: in a process of a host, or in a sandbox that its one room has for itself. */
import { z } from "zod";
import { LAST_WORDS_FD } from "./tell-last-words.js";

/** An event loop that has not turned for so long hangs: no player would call it a pause. */
const HUNG_AFTER_MS = 1_500;

export const watchOptionsSchema = z.object({
  hungAfterMs: z.number().positive().default(HUNG_AFTER_MS),
  /** Path or file descriptor. */
  lastWordsTo: z.union([z.string(), z.number()]).default(LAST_WORDS_FD),
  /** Ends the process where nobody else sees it hang. */
  endsIfHung: z.boolean().default(false),
});
export type WatchOptions = z.output<typeof watchOptionsSchema>;
