/**
 * criu, and the only place that knows its options: finding it, asking what it can, dumping a container into a folder
 * and restoring it from one. Written against 4.2.1; `test/container-carrier/criu.test.ts` holds what is relied on.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { access, mkdir, readFile, statfs } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { run } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";

/** Earlier ones do not start on Linux 6.13 and later (3.17), or refuse every TCP socket there (4.1). */
const LEAST_CRIU_VERSION = { major: 4, minor: 2 } as const;
/** Where `centroid` and its tests put one that the system does not have, beside its own libraries. */
const OWN_CRIU = "/var/lib/centroid/criu/criu";

/** What criu calls the two things that a container has of its host. */
const NETWORK = "room";
const SHARED = "shared";

const TMPFS_MAGIC = 0x01021994;
/** criu keeps what it has found out about the kernel in /run, if that is a tmpfs; finding out takes 0.25 s. */
const RUN_INSTEAD = "/dev/shm/centroid-criu";
/** On machines that do not grant CAP_SYS_RESOURCE. Nothing follows from it. */
const HARMLESS = /rlimit: Can't setup RLIMIT_NOFILE for self/;
const VERSION_TIMEOUT_MS = 10_000;

export interface Criu {
  readonly path: string;
  /** `container`, which gives criu its control groups and a /run. */
  readonly launcher: string;
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

/** @throws CentroidError CARRIER_UNAVAILABLE */
export async function openCriu(launcher: string): Promise<Criu> {
  const path = await findCriu();
  if (path === undefined) throw new CentroidError("CARRIER_UNAVAILABLE", (await criuProblem()) ?? "no criu");
  const { type } = await statfs("/run");
  if (type === TMPFS_MAGIC) return { path, launcher, run: "/run" };
  await mkdir(RUN_INSTEAD, { recursive: true, mode: 0o700 });
  return { path, launcher, run: RUN_INSTEAD };
}

export interface DumpOptions {
  /** The container's first process. */
  readonly pid: number;
  /** Inode of its network namespace. */
  readonly networkInode: number;
  readonly images: string;
  /** Gets criu's log. */
  readonly work: string;
}

/**
 * Writes a container, whose programs were stopped before, into `images`; it stays as it is.
 * @throws CentroidError MIGRATION_FAILED with criu's own words
 */
export function dump(criu: Criu, options: DumpOptions): Promise<void> {
  return runCriu(criu, [], options.work, "dump", [
    ...["--tree", String(options.pid), "--images-dir", options.images],
    // A dump that fails, and a move that is called off, leave the room where it was.
    "--leave-running",
    ...["--external", `net[${options.networkInode}]:${NETWORK}`],
    ...["--external", `mnt[/run/centroid]:${SHARED}`],
  ]);
}

export interface RestoreOptions {
  readonly images: string;
  readonly work: string;
  readonly root: string;
  /** The folder that the container shares with this host. */
  readonly shared: string;
  /** An open network namespace that has the container's address. */
  readonly networkFd: number;
  /** Control groups to be in, as their `cgroup.procs` files. */
  readonly groups: readonly string[];
  readonly pidFile: string;
  /** Run once all sockets exist, and before anything runs. */
  readonly onSocketsRestored: string;
}

/** Its programs are stopped, as they were dumped. @throws CentroidError MIGRATION_FAILED with criu's own words */
export function restore(criu: Criu, options: RestoreOptions): Promise<void> {
  const fd = 3;
  return runCriu(
    criu,
    options.groups,
    options.work,
    "restore",
    [
      ...["--restore-detached", "--images-dir", options.images, "--root", options.root],
      ...["--inherit-fd", `fd[${fd}]:${NETWORK}`],
      ...["--external", `mnt[${SHARED}]:${options.shared}`],
      ...["--pidfile", options.pidFile, "--action-script", options.onSocketsRestored],
    ],
    options.networkFd,
  );
}

/** What an action script finds in its environment when it is its turn. */
export const SOCKETS_RESTORED = { variable: "CRTOOLS_SCRIPT_ACTION", value: "network-unlock" } as const;

async function runCriu(
  criu: Criu,
  groups: readonly string[],
  work: string,
  action: "dump" | "restore",
  options: readonly string[],
  fd?: number,
): Promise<void> {
  const log = `${action}.log`;
  const common = ["--work-dir", work, "--log-file", log, "-v1", "--tcp-established"];
  // The carrier cuts and joins the network itself; criu would leave its firewall rules behind.
  const args = [action, ...common, "--network-lock", "skip", "--manage-cgroups=ignore", ...options];
  const child = spawn(criu.launcher, ["criu", criu.run, ...groups, "--", criu.path, ...args], {
    stdio: ["ignore", "ignore", "ignore", ...(fd === undefined ? [] : [fd])],
  });
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  });
  // It may say that all went well and still have failed at something.
  const said = await readFile(join(work, log), "utf8").catch(() => "");
  const errors = said.split("\n").filter((line) => /\bError \(/.test(line) && !HARMLESS.test(line));
  if (code === 0 && errors.length === 0) return;
  const why = errors[0]?.replace(/^.*?Error \([^)]*\):\s*/, "") ?? `criu ended with ${code}`;
  throw new CentroidError("MIGRATION_FAILED", `criu ${action}: ${why}`);
}
