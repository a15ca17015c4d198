/** Limits of memory and CPU for one container, by control groups of version 2 or 1, where the host has them. */
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rmdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { run } from "@centroid/agent";

const PLACE = "/sys/fs/cgroup";
/** Where they are mounted once more if that is hidden: `ip netns exec` puts another /sys over it. */
const OWN_PLACE = "/run/centroid-cgroups";
const PARENT = "centroid";
const PERIOD_US = 100_000;
/** A container is in its groups within seconds, or a move's time, of when they were made. */
const LEFT_AFTER_MS = 10 * 60_000;
/** Within seconds an agent has read how its container ended, and removes its groups. */
const NOBODYS_AFTER_MS = 60_000;
/** Fork bombs end with their container. */
const MAX_PROCESSES = 512;

export interface Limits {
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** Where limits are to be set. */
export interface Controller {
  readonly folder: string;
  /** Nothing in its groups may run ahead of other work of the host: what is restored enters them when it runs. */
  readonly isLate: boolean;
  readonly values: (limits: Limits) => Record<string, string>;
}

const v2: Controller["values"] = ({ memoryBytes, cpus }) => ({
  "memory.max": String(memoryBytes),
  "memory.swap.max": "0",
  "cpu.max": `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`,
  "pids.max": String(MAX_PROCESSES),
});

/** Each of version 1 is a tree of its own. */
const V1: Readonly<Record<string, Controller["values"]>> = {
  memory: ({ memoryBytes }) => ({ "memory.limit_in_bytes": String(memoryBytes) }),
  cpu: ({ cpus }) => ({
    "cpu.cfs_period_us": String(PERIOD_US),
    "cpu.cfs_quota_us": String(Math.round(cpus * PERIOD_US)),
  }),
  pids: () => ({ "pids.max": String(MAX_PROCESSES) }),
};

/** Those that this host has; none where it has none, or they are not this agent's to use. */
export async function findControllers(): Promise<readonly Controller[]> {
  if (existsSync(join(PLACE, "cgroup.controllers"))) return [{ folder: PLACE, isLate: false, values: v2 }];
  // Its own trees, like "8:pids:/" and "4:cpu,cpuacct:/"; version 2 has no name.
  const trees = (await readFile("/proc/self/cgroup", "utf8").catch(() => ""))
    .split("\n")
    .map((line) => line.split(":")[1] ?? "");
  const found: Controller[] = [];
  for (const [name, values] of Object.entries(V1)) {
    const tree = trees.find((names) => names.split(",").includes(name));
    if (tree === undefined) continue;
    const folder = await treeOf("cgroup", name, ["-o", tree]);
    if (folder !== undefined) found.push({ folder, isLate: name === "cpu", values });
  }
  if (found.length > 0) return found;
  const folder = await treeOf("cgroup2", "unified", []);
  return folder === undefined ? [] : [{ folder, isLate: false, values: v2 }];
}

/** Where a tree is, mounted there if need be. */
async function treeOf(type: string, name: string, options: string[]): Promise<string | undefined> {
  const places = [join(PLACE, name), join(OWN_PLACE, name)];
  const known = places.find((place) => existsSync(join(place, "cgroup.procs")));
  if (known !== undefined) return known;
  const own = join(OWN_PLACE, name);
  try {
    await mkdir(own, { recursive: true });
    await run("mount", ["-t", type, ...options, "cgroup", own]);
    return own;
  } catch {
    return undefined;
  }
}

/** True where this host, or whoever runs it in a container itself, has no control groups for containers of ours. */
export async function nothingLimits(): Promise<boolean> {
  const probe = new ControlGroups(`probe-${process.pid}`, await findControllers());
  const made = await probe.make({ memoryBytes: 2 ** 30, cpus: 1 });
  await probe.remove();
  return made.early.length + made.late.length === 0;
}

/**
 * Removes those that agents have left which were killed, on this host or another on this machine: empty, old, and still
 * there a while later. What belongs to an agent that lives it removes itself by then, having read how its container ended.
 */
export async function clearLeftGroups(
  controllers: readonly Controller[],
  aWhile: () => Promise<unknown> = () => delay(NOBODYS_AFTER_MS, undefined, { ref: false }),
): Promise<void> {
  const left: string[] = [];
  for (const { folder } of controllers) {
    const parent = join(folder, PARENT);
    for (const name of await readdir(parent).catch(() => []))
      if (await isLeft(join(parent, name))) left.push(join(parent, name));
  }
  await aWhile();
  // The kernel keeps those in which something runs.
  for (const group of left) await rmdir(group).catch(() => undefined);
}

async function isLeft(group: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(group);
    const isEmpty = (await readFile(join(group, "cgroup.procs"), "utf8")) === "";
    return isEmpty && Date.now() - mtimeMs >= LEFT_AFTER_MS;
  } catch {
    // One of the files beside them, or gone.
    return false;
  }
}

/** The `cgroup.procs` files of a container's control groups. */
export interface Groups {
  /** To enter before anything of the container is there. */
  readonly early: readonly string[];
  readonly late: readonly string[];
}

/** A container's control groups. What this host does not have limits nothing. */
export class ControlGroups {
  readonly #name: string;
  readonly #controllers: readonly Controller[];

  /** @param name unique on this machine */
  constructor(name: string, controllers: readonly Controller[]) {
    this.#name = name;
    this.#controllers = controllers;
  }

  /** @returns those that were made */
  async make(limits: Limits): Promise<Groups> {
    const made = { early: [] as string[], late: [] as string[] };
    for (const { folder, isLate, values } of this.#controllers) {
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
        made[isLate ? "late" : "early"].push(join(group, "cgroup.procs"));
      } catch {
        // Read-only, or not this agent's: nothing can be limited here.
      }
    }
    return made;
  }

  /** True if the kernel has ended something in them for its memory. */
  async ranOutOfMemory(): Promise<boolean> {
    const files = this.#controllers.flatMap(({ folder }) =>
      ["memory.events", "memory.oom_control"].map((file) => join(folder, PARENT, this.#name, file)),
    );
    const texts = await Promise.all(files.map((file) => readFile(file, "utf8").catch(() => "")));
    return texts.some((text) => /^oom_kill [1-9]/m.test(text));
  }

  /** Once nothing runs in them any more; otherwise they stay. */
  async remove(): Promise<void> {
    for (const { folder } of this.#controllers)
      await rmdir(join(folder, PARENT, this.#name)).catch(() => undefined);
  }
}
