/**
 * Finding criu, and asking which one it is. Written against 4.2.1; `test/container-carrier/criu.test.ts` holds what is
 * relied on.
 */
import { constants } from "node:fs";
import { access, mkdir, statfs } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { run } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";

/** Earlier ones do not start on Linux 6.13 and later (3.17), or refuse every TCP socket there (4.1). */
const LEAST_CRIU_VERSION = { major: 4, minor: 2 } as const;
/** Where `centroid` and its tests put one that the system does not have, beside its own libraries. */
const OWN_CRIU = "/var/lib/centroid/criu/criu";

const TMPFS_MAGIC = 0x01021994;
/** criu keeps what it has found out about the kernel in /run, if that is a tmpfs; finding out takes 0.25 s. */
const RUN_INSTEAD = "/dev/shm/centroid-criu";
const VERSION_TIMEOUT_MS = 10_000;
/** userfaultfd that also says what a process does to its memory, such as returning some. */
const LAZY_PAGES_FEATURE = "uffd-noncoop";

export interface Criu {
  readonly path: string;
  /** `criu-worker`, which starts it. */
  readonly worker: string;
  /** What it gets as its /run. */
  readonly run: string;
}

/** Path of the criu to use; undefined if there is none. */
async function findCriu(): Promise<string | undefined> {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/sbin"];
  for (const path of [OWN_CRIU, ...folders.map((folder) => join(folder, "criu"))])
    if (await executable(path)) return path;
  return undefined;
}

const executable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  );

/** Like "4.2.1". @throws {CommandError} if it does not start */
async function criuVersion(path: string): Promise<string> {
  const signal = AbortSignal.timeout(VERSION_TIMEOUT_MS);
  return /Version:\s*(\S+)/.exec(await run(path, ["--version"], { signal }))?.[1] ?? "unknown";
}

export function isRecentEnough(version: string): boolean {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return (
    major > LEAST_CRIU_VERSION.major ||
    (major === LEAST_CRIU_VERSION.major && minor >= LEAST_CRIU_VERSION.minor)
  );
}

/** Why rooms cannot be moved by this machine's criu, in one line; undefined if they can. */
export async function criuProblem(): Promise<string | undefined> {
  const least = `${LEAST_CRIU_VERSION.major}.${LEAST_CRIU_VERSION.minor}`;
  const path = await findCriu();
  if (path === undefined) return `criu is missing: install ${least} or later, see docs/containers.md`;
  const version = await criuVersion(path).catch(() => undefined);
  if (version === undefined) return `${path} does not start: install criu ${least} or later`;
  if (!isRecentEnough(version)) return `${path} is ${version}: install criu ${least} or later`;
  return undefined;
}

/** Why no container can run here before it has all its memory, in one line; undefined if it can. */
export async function lazyPagesProblem({ path }: Criu): Promise<string | undefined> {
  const signal = AbortSignal.timeout(VERSION_TIMEOUT_MS);
  return run(path, ["check", "--feature", LAZY_PAGES_FEATURE], { signal }).then(
    () => undefined,
    () => `its kernel has no userfaultfd that criu can use (criu check --feature ${LAZY_PAGES_FEATURE})`,
  );
}

/** @param worker path of `criu-worker` @throws CentroidError CARRIER_UNAVAILABLE */
export async function openCriu(worker: string): Promise<Criu> {
  const path = await findCriu();
  if (path === undefined) throw new CentroidError("CARRIER_UNAVAILABLE", (await criuProblem()) ?? "no criu");
  const { type } = await statfs("/run");
  if (type === TMPFS_MAGIC) return { path, worker, run: "/run" };
  await mkdir(RUN_INSTEAD, { recursive: true, mode: 0o700 });
  return { path, worker, run: RUN_INSTEAD };
}
