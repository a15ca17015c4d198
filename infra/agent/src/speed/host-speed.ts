/**
 * How fast this machine computes: one core alone, then all at once, each for a tenth of a second in threads of their
 * own. Measured once per machine: the result is kept in a file that all agents of the user share.
 */
import { createHash, randomUUID } from "node:crypto";
import { readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { availableParallelism, cpus, tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { hostSpeedSchema } from "@centroid/protocol";
import { z } from "zod";
import { REFERENCE_ROUNDS_PER_MS } from "./kernel.js";

export type MeasuredSpeed = z.infer<typeof hostSpeedSchema>;

/** Grows when the kernel or the measuring changes: what was measured otherwise says nothing. */
const VERSION = 2;
const FOR_MS = 100;
/** The best slice of one core counts: whatever else ran meanwhile is no property of the core. */
const SLICES = 5;
const MOST_THREADS = 64;
/** Another agent that measures just now is waited for so often. */
const ATTEMPTS = 20;
const RETRY_MS = 250;
/** A measurement that was begun so long ago has been given up. */
const STALE_MS = 10_000;

const messageSchema = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ready") }),
  z.object({ type: z.literal("measured"), rates: z.array(z.number()) }),
]);

/**
 * From the cache, else measured.
 * @throws if no thread can be started, or the signal's reason
 */
export async function hostSpeed(signal: AbortSignal, folder = tmpdir()): Promise<MeasuredSpeed> {
  const path = join(folder, `centroid-speed-${userInfo().uid}-${machineId()}.json`);
  const lock = `${path}.lock`;
  const owner = randomUUID();
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const known = await cached(path);
    if (known !== undefined) return known;
    if (await lockedBy(owner, lock)) break;
    await sleep(RETRY_MS, undefined, { signal });
  }
  try {
    const speed = await measureSpeed(signal);
    // Whole or not at all: others read it at any time.
    const draft = `${path}.${process.pid}`;
    await writeFile(draft, JSON.stringify(speed), { mode: 0o600 }).then(
      () => rename(draft, path),
      () => undefined,
    );
    return speed;
  } finally {
    // Whoever measures without having got the lock, or has lost it by being slow, leaves it to its owner.
    if ((await ownerOf(lock)) === owner) await rm(lock, { force: true });
  }
}

/** @throws if no thread can be started, or the signal's reason */
async function measureSpeed(signal: AbortSignal): Promise<MeasuredSpeed> {
  const cores = availableParallelism();
  const [alone = []] = await ratesOf(1, signal);
  const together = await ratesOf(Math.min(MOST_THREADS, cores), signal);
  const best = Math.max(...alone) / REFERENCE_ROUNDS_PER_MS;
  const sum = together.reduce((total, rates) => total + mean(rates), 0) / REFERENCE_ROUNDS_PER_MS;
  const oneCore = round(best);
  return { oneCore, allCores: round(Math.max(sum * Math.max(1, cores / MOST_THREADS), best)), cores };
}

/** By thread: rounds per ms of each slice, all at the same time. */
async function ratesOf(threads: number, signal: AbortSignal): Promise<number[][]> {
  signal.throwIfAborted();
  const workers = Array.from(
    { length: threads },
    () =>
      new Worker(new URL("./speed-worker.js", import.meta.url), {
        workerData: { forMs: FOR_MS, slices: SLICES },
      }),
  );
  const end = (): void => {
    for (const worker of workers) void worker.terminate();
  };
  signal.addEventListener("abort", end, { once: true });
  try {
    await Promise.all(workers.map((worker) => next(worker, "ready")));
    for (const worker of workers) worker.postMessage("go");
    const measured = await Promise.all(workers.map((worker) => next(worker, "measured")));
    return measured.map((message) => (message.type === "measured" ? message.rates : []));
  } catch (cause) {
    signal.throwIfAborted();
    throw cause;
  } finally {
    signal.removeEventListener("abort", end);
    end();
  }
}

function next(
  worker: Worker,
  type: z.infer<typeof messageSchema>["type"],
): Promise<z.infer<typeof messageSchema>> {
  return new Promise((resolve, reject) => {
    const onMessage = (raw: unknown): void => {
      const message = messageSchema.parse(raw);
      if (message.type !== type) return;
      worker.off("message", onMessage);
      resolve(message);
    };
    worker.on("message", onMessage);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the measuring thread ended (code ${code})`)));
  });
}

async function cached(path: string): Promise<MeasuredSpeed | undefined> {
  try {
    const { uid } = await stat(path);
    // A file of somebody else in a shared folder may say anything.
    if (uid !== userInfo().uid) return undefined;
    const parsed = hostSpeedSchema.safeParse(JSON.parse(await readFile(path, "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch {
    return undefined;
  }
}

/** @returns true if nobody else measures, or nobody else can be waited for */
async function lockedBy(owner: string, lock: string): Promise<boolean> {
  try {
    await writeFile(lock, owner, { flag: "wx", mode: 0o600 });
    return true;
  } catch (cause) {
    if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) return true;
    const before = await ownerOf(lock);
    const since = await stat(lock).catch(() => undefined);
    if (since === undefined || Date.now() - since.mtimeMs <= STALE_MS) return false;
    // Given up; the next attempt takes it.
    if ((await ownerOf(lock)) === before) await rm(lock, { force: true });
    return false;
  }
}

const ownerOf = (lock: string): Promise<string | undefined> => readFile(lock, "utf8").catch(() => undefined);

/** Another processor, or another engine under the same code, is another machine. */
function machineId(): string {
  const [first] = cpus();
  const what = [VERSION, first?.model, availableParallelism(), process.version, process.arch].join("\n");
  return createHash("sha256").update(what).digest("hex").slice(0, 12);
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);

/** More digits than these are noise. */
const round = (value: number): number => Number(value.toPrecision(3));
