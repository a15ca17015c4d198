/** The thread that notices that the room host's event loop has stopped, and says in which room's code. */
import { parentPort } from "node:worker_threads";
import { BEATS, type Label, type LabelText, readActivity } from "./activity.js";
import { LoopSilence, mainThreadWaitedMs } from "./loop-silence.js";
import { tellLastWords } from "./tell-last-words.js";
import type { WatchOptions } from "./watch-options.js";

const LOOK_MS = 100;
/** If this thread came so late itself, the whole process stood still. */
const LATE_MS = 300;

/** From this process's own main thread. */
type Heard =
  | { label: Label; text: LabelText | undefined }
  | { shared: SharedArrayBuffer; options: WatchOptions };

const labels = new Map<Label, LabelText>();
parentPort?.on("message", (message: Heard) => {
  if (!("label" in message)) watch(message.shared, message.options);
  else if (message.text === undefined) labels.delete(message.label);
  else labels.set(message.label, message.text);
});

function watch(shared: SharedArrayBuffer, { hungAfterMs, lastWordsTo, endsIfHung }: WatchOptions): void {
  const words = new Int32Array(shared);
  let lookedAtMs = performance.now();
  const silence = new LoopSilence(lookedAtMs, mainThreadWaitedMs);
  let told = false;
  setInterval(() => {
    const nowMs = performance.now();
    if (nowMs - lookedAtMs > LATE_MS) silence.excuse();
    lookedAtMs = nowMs;
    const silentMs = silence.look(nowMs, Atomics.load(words, BEATS));
    if (silentMs < hungAfterMs) told &&= silentMs > 0;
    else if (!told) {
      told = true;
      tellLastWords(lastWordsTo, { how: "hung", ...readActivity(shared, labels) });
      // Only another thread still can, and only the kernel will.
      if (endsIfHung) process.kill(process.pid, "SIGKILL");
    }
  }, LOOK_MS);
}
