/**
 * Threads with one worker file, and the queue before them. A thread that crashes or takes too long is replaced and its
 * request answered with an error; one that does not even start is tried again now and then, not all the time.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { CentroidError } from "@centroid/protocol";
import type { FromWorker } from "./worker-wire.js";

const WORKER_MAIN = new URL(`./worker-main${extname(import.meta.url)}`, import.meta.url);
/** Loading a model takes a second, on a busy machine several. */
const START_TIMEOUT_MS = 30_000;
/** A file that does not load is not loaded again before this; requests fail at once meanwhile. */
const RESTART_MS = 1_000;
/** Of what did not get through: it says nothing about what work costs. */
const NO_COST = { cpuMs: 0, queueMs: 0, workMs: 0 } as const;

export type WorkOutcome =
  | ({ state: "done"; output: unknown } & WorkCost)
  | ({ state: "failed"; error: CentroidError } & WorkCost);

interface WorkCost {
  cpuMs: number;
  queueMs: number;
  workMs: number;
}

interface PoolJob {
  input: unknown;
  /** From when it is queued, or from when the threads have started, if that is later. */
  timeoutMs: number;
  settle: (outcome: WorkOutcome) => void;
}

interface QueuedJob extends PoolJob {
  id: number;
  queuedAtMs: number;
  timer: NodeJS.Timeout | undefined;
}

type Thread = { worker: Worker; timer: NodeJS.Timeout | undefined } & (
  | { state: "starting" }
  | { state: "idle" }
  | { state: "working"; job: QueuedJob; startedAtMs: number }
);

export class WorkerPool implements Disposable {
  readonly #file: URL;
  readonly #threadCount: number;
  readonly #notice: (line: string) => void;
  readonly #threads = new Set<Thread>();
  readonly #queue: QueuedJob[] = [];
  readonly #starting = new Set<(failed?: CentroidError) => void>();
  #nextId = 1;
  /** Why no thread has started last time, and from when on that may be tried again. */
  #broken: { error: CentroidError; untilMs: number } | undefined;
  #disposed = false;

  /** @param notice hears what an operator should know */
  constructor(file: URL, threadCount: number, notice: (line: string) => void) {
    this.#file = file;
    this.#threadCount = threadCount;
    this.#notice = notice;
    this.#fill();
  }

  /** Resolves when a thread has started. @throws CentroidError WORK_FAILED if none does */
  async ready(): Promise<void> {
    if (this.#started) return;
    if (this.#broken !== undefined) throw this.#broken.error;
    await new Promise<void>((resolve, reject) => {
      const started = (failed?: CentroidError): void => {
        this.#starting.delete(started);
        if (failed === undefined) resolve();
        else reject(failed);
      };
      this.#starting.add(started);
    });
  }

  /** Takes the job; it is settled once, unless it is cancelled before. @returns how to cancel it */
  run(job: PoolJob): () => void {
    const queued: QueuedJob = { ...job, id: this.#nextId++, queuedAtMs: performance.now(), timer: undefined };
    this.#fill();
    if (this.#broken !== undefined && this.#threads.size === 0) {
      const { error } = this.#broken;
      queueMicrotask(() => queued.settle({ state: "failed", error, ...NO_COST }));
      return () => undefined;
    }
    this.#queue.push(queued);
    if (this.#started) this.#expire(queued);
    this.#pump();
    return () => {
      clearTimeout(queued.timer);
      // A thread in the middle of it goes on; nobody waits for what comes of it.
      queued.settle = () => undefined;
      const at = this.#queue.indexOf(queued);
      if (at >= 0) this.#queue.splice(at, 1);
    };
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const thread of this.#threads) this.#end(thread);
    const error = new CentroidError("WORK_FAILED", "the room's workers have ended");
    for (const started of this.#starting) started(error);
    for (const job of this.#queue.splice(0)) this.#fail(job, error);
  }

  get #started(): boolean {
    for (const { state } of this.#threads) if (state !== "starting") return true;
    return false;
  }

  #fill(): void {
    if (this.#disposed) return;
    if (this.#broken !== undefined) {
      if (performance.now() < this.#broken.untilMs) return;
      this.#broken = undefined;
    }
    while (this.#threads.size < this.#threadCount) this.#start();
  }

  #start(): void {
    const worker = new Worker(WORKER_MAIN, { workerData: this.#file.href });
    worker.unref();
    const thread: Thread = { worker, state: "starting", timer: undefined };
    thread.timer = setTimeout(
      () => this.#notStarted(thread, `it has not started within ${START_TIMEOUT_MS / 1000} s`),
      START_TIMEOUT_MS,
    );
    thread.timer.unref();
    this.#threads.add(thread);
    let why = "it ended";
    worker.on("error", (cause) => {
      why = `it crashed: ${cause instanceof Error ? cause.message : String(cause)}`;
    });
    worker.once("exit", () => this.#exited(thread, why));
    worker.on("message", (message: FromWorker) => this.#hear(thread, message));
  }

  #hear(thread: Thread, message: FromWorker): void {
    if (!this.#threads.has(thread)) return;
    switch (message.type) {
      case "ready":
        clearTimeout(thread.timer);
        this.#idle(thread);
        for (const started of this.#starting) started();
        for (const job of this.#queue) this.#expire(job);
        break;
      case "broken":
        this.#notStarted(thread, message.message);
        return;
      case "done":
      case "failed": {
        if (thread.state !== "working" || thread.job.id !== message.id) return;
        const { job, startedAtMs } = thread;
        clearTimeout(job.timer);
        this.#idle(thread);
        const cost: WorkCost = {
          cpuMs: message.cpuMs,
          queueMs: startedAtMs - job.queuedAtMs,
          workMs: performance.now() - startedAtMs,
        };
        job.settle(
          message.type === "done"
            ? { state: "done", output: message.output, ...cost }
            : { state: "failed", error: new CentroidError("WORK_FAILED", message.message), ...cost },
        );
        break;
      }
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
    this.#pump();
  }

  #idle(thread: Thread): void {
    Object.assign(thread, { state: "idle", timer: undefined });
  }

  #pump(): void {
    for (const thread of this.#threads) {
      if (thread.state !== "idle") continue;
      const job = this.#queue.shift();
      if (job === undefined) return;
      Object.assign(thread, { state: "working", job, startedAtMs: performance.now() });
      try {
        thread.worker.postMessage({ id: job.id, input: job.input });
      } catch (cause) {
        this.#idle(thread);
        this.#fail(job, new CentroidError("WORK_FAILED", `this cannot go to a worker: ${String(cause)}`));
      }
    }
  }

  /** Once somebody can work on it, its time runs. */
  #expire(job: QueuedJob): void {
    job.timer ??= setTimeout(() => this.#late(job), job.timeoutMs);
  }

  #late(job: QueuedJob): void {
    const error = new CentroidError(
      "WORK_TIMEOUT",
      `no answer within ${job.timeoutMs} ms; send less, or try again`,
    );
    const at = this.#queue.indexOf(job);
    if (at >= 0) {
      this.#queue.splice(at, 1);
      this.#fail(job, error);
      return;
    }
    for (const thread of this.#threads) {
      if (thread.state !== "working" || thread.job !== job) continue;
      this.#notice(`a worker of ${this.#file.pathname} has hung for ${job.timeoutMs} ms and is replaced`);
      this.#end(thread);
      this.#fail(job, error);
      this.#fill();
    }
  }

  #exited(thread: Thread, why: string): void {
    if (!this.#threads.has(thread)) return;
    if (thread.state === "starting") {
      this.#notStarted(thread, why);
      return;
    }
    this.#end(thread);
    this.#notice(`a worker of ${this.#file.pathname} is replaced: ${why}`);
    if (thread.state === "working")
      this.#fail(thread.job, new CentroidError("WORK_FAILED", `the worker did not survive this: ${why}`));
    this.#fill();
  }

  #notStarted(thread: Thread, why: string): void {
    this.#end(thread);
    const error = new CentroidError("WORK_FAILED", `the room's worker does not start: ${why}`);
    this.#broken = { error, untilMs: performance.now() + RESTART_MS };
    // Others may have started.
    if (this.#threads.size > 0) return;
    this.#notice(`${error.message} (${this.#file.pathname})`);
    for (const started of this.#starting) started(error);
    for (const job of this.#queue.splice(0)) this.#fail(job, error);
  }

  #fail(job: QueuedJob, error: CentroidError): void {
    clearTimeout(job.timer);
    job.settle({ state: "failed", error, ...NO_COST });
  }

  #end(thread: Thread): void {
    this.#threads.delete(thread);
    clearTimeout(thread.timer);
    void thread.worker.terminate();
  }
}
