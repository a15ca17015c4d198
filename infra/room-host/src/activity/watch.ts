/**
 * Watches this process's event loop from a thread of its own, and tells the agent which room's code stopped it, or
 * ended the process.
 */
import inspector from "node:inspector";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { type Activity, type Label, type LabelText, SharedActivity } from "./activity.js";
import { tellLastWords } from "./tell-last-words.js";
import type { WatchOptions } from "./watch-options.js";

const BEAT_MS = 100;
/** The thread only compares numbers. */
const HEAP_MB = { maxOldGenerationSizeMb: 8, maxYoungGenerationSizeMb: 2, stackSizeMb: 1 };

/** Beside this module, under the same name also where both were bundled for a sandbox. */
const THREAD = new URL(`./watch-thread${extname(import.meta.url)}`, import.meta.url);

/**
 * From here on; ends with the process.
 * @param notice hears that hangs will not be noticed, if so
 */
export function watchThisProcess(options: WatchOptions, notice: (line: string) => void): Activity {
  const labels = new Map<Label, LabelText>();
  // Who halts the loop in a debugger means to.
  const thread =
    inspector.url() === undefined
      ? new Worker(fileURLToPath(THREAD), { resourceLimits: HEAP_MB })
      : undefined;
  const activity = new SharedActivity((label, text) => {
    if (text === undefined) labels.delete(label);
    else labels.set(label, text);
    thread?.postMessage({ label, text });
  });
  thread?.on("error", (cause) => notice(`hangs of this room host will not be noticed: ${String(cause)}`));
  thread?.postMessage({ shared: activity.shared, options });
  thread?.unref();
  setInterval(() => activity.beat(), BEAT_MS).unref();
  process.on("exit", () => {
    const { cause } = activity;
    const text = cause && labels.get(cause.label);
    tellLastWords(options.lastWordsTo, {
      how: "exited",
      ...text,
      ...(cause && { sessionId: cause.sessionId }),
    });
  });
  return activity;
}
