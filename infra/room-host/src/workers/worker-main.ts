/** A worker thread: loads the author's module, starts it, and answers one request after the other. */
import { setPriority } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { threadTimes } from "../activity/thread-times.js";
import type { FromWorker, WorkRequest } from "./worker-wire.js";

interface AuthorsModule {
  start?: () => unknown;
  default: (input: unknown, started: unknown) => unknown;
}

/**
 * Rooms come first: a step of theirs takes a millisecond, and players see it when it is late. Not by much, or workers get
 * next to nothing on a machine that does other things, too.
 */
const NICE = 2;
const MAX_MESSAGE = 1_000;

/** CPU time of this thread so far, ms; where nobody counts it the time that passed is as good as it gets. */
const threadCpuMs = (): number => threadTimes()?.ranMs ?? performance.now();

const say = (message: FromWorker): void => parentPort?.postMessage(message);
const textOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).slice(0, MAX_MESSAGE);

/** @returns what to call for each request */
async function load(): Promise<(input: unknown) => unknown> {
  // On Linux the priority is a thread's own; elsewhere it would be the whole process's.
  if (process.platform === "linux") setPriority(NICE);
  const loaded = (await import(String(workerData))) as AuthorsModule;
  const { default: work, start } = loaded;
  if (typeof work !== "function") throw new Error("the worker file has no function as default export");
  const started = await start?.();
  return (input) => work(input, started);
}

load().then(
  (work) => {
    parentPort?.on("message", async ({ id, input }: WorkRequest) => {
      const startedMs = threadCpuMs();
      try {
        const output = await work(input);
        say({ type: "done", id, output, cpuMs: threadCpuMs() - startedMs });
      } catch (cause) {
        say({ type: "failed", id, message: textOf(cause), cpuMs: threadCpuMs() - startedMs });
      }
    });
    say({ type: "ready" });
  },
  (cause: unknown) => say({ type: "broken", message: textOf(cause) }),
);
