/** Limits of memory and CPU for one container, by control groups of version 2 or 1, where the host has them. */
import { existsSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** The second is the first where `ip netns exec` has hidden it. */
const PLACES = ["/sys/fs/cgroup", "/proc/1/root/sys/fs/cgroup"];
const PARENT = "centroid";
const PERIOD_US = 100_000;
/** Fork bombs end with their container. */
const MAX_PROCESSES = 512;

export interface Limits {
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** Where limits are to be set. */
interface Controller {
  readonly folder: string;
  readonly values: (limits: Limits) => Record<string, string>;
}

const v2: Controller["values"] = ({ memoryBytes, cpus }) => ({
  "memory.max": String(memoryBytes),
  "memory.swap.max": "0",
  "cpu.max": `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`,
  "pids.max": String(MAX_PROCESSES),
});

function controllers(): Controller[] {
  const unified = PLACES.find((place) => existsSync(join(place, "cgroup.controllers")));
  if (unified !== undefined) return [{ folder: unified, values: v2 }];
  const place = PLACES.find((candidate) => existsSync(join(candidate, "memory", "cgroup.procs")));
  if (place === undefined) return [];
  const all: Controller[] = [
    {
      folder: join(place, "memory"),
      values: ({ memoryBytes }) => ({ "memory.limit_in_bytes": String(memoryBytes) }),
    },
    {
      folder: join(place, "cpu"),
      values: ({ cpus }) => ({
        "cpu.cfs_period_us": String(PERIOD_US),
        "cpu.cfs_quota_us": String(Math.round(cpus * PERIOD_US)),
      }),
    },
    { folder: join(place, "pids"), values: () => ({ "pids.max": String(MAX_PROCESSES) }) },
  ];
  return all.filter(({ folder }) => existsSync(join(folder, "cgroup.procs")));
}

/** A container's control groups. What this host does not have limits nothing. */
export class ControlGroups {
  readonly #name: string;

  /** @param name unique on this machine */
  constructor(name: string) {
    this.#name = name;
  }

  /** @returns the `cgroup.procs` files of the groups that were made */
  async make(limits: Limits): Promise<string[]> {
    const made: string[] = [];
    for (const { folder, values } of controllers()) {
      const parent = join(folder, PARENT);
      const group = join(parent, this.#name);
      try {
        await mkdir(parent, { recursive: true });
        if (values === v2)
          for (const above of [folder, parent])
            await writeFile(join(above, "cgroup.subtree_control"), "+memory +cpu +pids");
        await mkdir(group, { recursive: true });
        // Some kernels count no swap; the other limits hold all the same.
        for (const [file, value] of Object.entries(values(limits)))
          await writeFile(join(group, file), value).catch(() => undefined);
        made.push(join(group, "cgroup.procs"));
      } catch {
        // Read-only, or not this agent's: nothing can be limited here.
      }
    }
    return made;
  }

  /** Once nothing runs in them any more; otherwise they stay. */
  async remove(): Promise<void> {
    for (const { folder } of controllers())
      await rmdir(join(folder, PARENT, this.#name)).catch(() => undefined);
  }
}
