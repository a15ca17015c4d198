/** The worker threads of a process: rooms with the same worker file share them, and a model is in memory once. */
import { WorkerPool } from "./worker-pool.js";

/** A room that comes right after the last one has left finds the threads as they were. */
const LINGER_MS = 10_000;

interface Shared {
  pool: WorkerPool;
  rooms: number;
  ending: NodeJS.Timeout | undefined;
}

export interface PoolLease extends Disposable {
  readonly pool: WorkerPool;
}

export class WorkerPools {
  readonly #byFile = new Map<string, Shared>();

  /** Starts the threads if they are not there. Given back by disposing of the lease. */
  lease(file: URL, threads: number, notice: (line: string) => void): PoolLease {
    const known = this.#byFile.get(file.href);
    const shared = known ?? { pool: new WorkerPool(file, threads, notice), rooms: 0, ending: undefined };
    this.#byFile.set(file.href, shared);
    clearTimeout(shared.ending);
    shared.rooms++;
    let held = true;
    return {
      pool: shared.pool,
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        if (--shared.rooms > 0) return;
        shared.ending = setTimeout(() => {
          this.#byFile.delete(file.href);
          shared.pool[Symbol.dispose]();
        }, LINGER_MS);
        shared.ending.unref();
      },
    };
  }
}
