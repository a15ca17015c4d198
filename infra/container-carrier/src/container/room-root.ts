/**
 * What a room's container has for a root: the Node that runs the agent, its libraries, the rooms, and four device
 * files. Read-only, one folder for all rooms of a host, named by what is in it: a container moves only to a host that
 * has the same bytes.
 */
import { createHash } from "node:crypto";
import { constants, existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { compileProgram, run } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import { bundleGuest, type RoomsBundle } from "@centroid/room-host/bundling";

const nativeSource = (name: string): string =>
  fileURLToPath(new URL(`../../native/${name}.c`, import.meta.url));
const HASH_DIGITS = 16;
/** Name and minor number; all have the major number 1. */
const DEVICES = { null: 3, zero: 5, full: 7, random: 8, urandom: 9 } as const;
/** Changes whenever this file builds something else from the same inputs. */
const RECIPE_VERSION = 1;

/** In a root. */
export const ROOT_FILES = {
  launcher: "bin/container",
  criuWorker: "bin/criu-worker",
  lazyPages: "bin/lazy-pages",
  node: "bin/node",
  program: "app/main.mjs",
} as const;

/** A program of this package, compiled on first use. @throws {CommandError} when cc fails */
const compile = (name: string, directory: string): Promise<string> =>
  compileProgram(nativeSource(name), directory, ["-static", "-s", "-Wl,--build-id=none"]);

/**
 * Builds the root for these rooms into the folder `directory`, or takes the one that is there.
 * @returns its path
 * @throws CentroidError CARRIER_UNAVAILABLE with what is missing for it
 */
export async function buildRoomRoot(
  rooms: RoomsBundle,
  stateDir: string,
  directory: string,
): Promise<string> {
  try {
    const program = await bundleGuest(rooms, stateDir, "container");
    return await buildRoot(program, directory);
  } catch (cause) {
    const why = CentroidError.from(cause).message;
    throw new CentroidError("CARRIER_UNAVAILABLE", `the containers' root cannot be built: ${why}`, { cause });
  }
}

/** @param program a folder of modules with a `main.mjs`, which runs in the container */
export async function buildRoot(program: string, directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const files = new Map<string, string>([
    [ROOT_FILES.node, process.execPath],
    [ROOT_FILES.launcher, await compile("container", directory)],
    [ROOT_FILES.criuWorker, await compile("criu-worker", directory)],
    [ROOT_FILES.lazyPages, await compile("lazy-pages", directory)],
  ]);
  const libraries = await run("ldd", [process.execPath]);
  for (const [, path] of libraries.matchAll(/(?:=>\s*|^\s*)(\/\S+)/gm))
    if (path !== undefined) files.set(path.slice(1), path);
  const entries = await readdir(program, { recursive: true, withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  for (const path of names.sort()) files.set(`app/${relative(program, path)}`, path);

  const hash = createHash("sha256").update(String(RECIPE_VERSION));
  for (const [path, source] of files) hash.update(path).update(await readFile(source));
  const root = join(directory, `root-${hash.digest("hex").slice(0, HASH_DIGITS)}`);
  if (existsSync(root)) return root;
  const fresh = `${root}.new`;
  await rm(fresh, { recursive: true, force: true });
  for (const folder of ["proc", "run/centroid", "dev", "tmp"])
    await mkdir(join(fresh, folder), { recursive: true });
  for (const [path, source] of files) {
    await mkdir(dirname(join(fresh, path)), { recursive: true });
    await copyFile(source, join(fresh, path), constants.COPYFILE_FICLONE);
    await chmod(join(fresh, path), path.startsWith("app/") ? 0o644 : 0o755);
  }
  for (const [name, minor] of Object.entries(DEVICES))
    await run("mknod", ["-m", "666", join(fresh, "dev", name), "c", "1", String(minor)]);
  await writeFile(join(fresh, "app", "package.json"), '{"type":"module"}\n');
  await rename(fresh, root);
  return root;
}
