/** The worker threads of a process: rooms with the same worker file share them, and a model is in memory once. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { CentroidError } from "@centroid/protocol";
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
  readonly #copies: string | undefined;

  /** @param copies in a sandbox, the folder that has copies of all workers' files below it */
  constructor(copies?: string) {
    this.#copies = copies;
  }

  /**
   * Starts the threads if they are not there. Given back by disposing of the lease.
   * @throws CentroidError CARRIER_UNAVAILABLE in a sandbox that does not have the file
   */
  lease(file: URL, threads: number, notice: (line: string) => void): PoolLease {
    const known = this.#byFile.get(file.href);
    const shared = known ?? {
      pool: new WorkerPool(this.#here(file), threads, notice),
      rooms: 0,
      ending: undefined,
    };
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

  #here(file: URL): URL {
    if (this.#copies === undefined) return file;
    const path = join(this.#copies, fileURLToPath(file));
    if (!existsSync(path))
      throw new CentroidError(
        "CARRIER_UNAVAILABLE",
        `the worker ${file.pathname} is not in this room's sandbox: containers have those that are named in the call, as in workersOf(this, new URL("../worker/name.mjs", import.meta.url)), machines have none; use the carrier process`,
      );
    const copy = pathToFileURL(path);
    copy.search = file.search;
    return copy;
  }
}
