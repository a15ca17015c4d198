/**
 * Compiles rooms (TypeScript or JavaScript) into one module that any room host can load. Built once, by content: all
 * hosts run the same rooms, and a moved room finds its class on the other side.
 */
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join, relative, resolve } from "node:path";
import { CentroidError } from "@centroid/protocol";
import { unwritable } from "@centroid/protocol/node";
import { type BuildFailure, build } from "esbuild";
import { ENTRY_NAME, type RoomsEntry } from "./entries.js";
import { nativePackages, oneCopy, ownPaths, ownTimers } from "./source-plugins.js";
import { workersIn } from "./worker-files.js";

/** A module that exports `rooms`, class or definition by room type, and `app` if a whole project was built. */
export interface RoomsModule {
  path: string;
  hash: string;
  /** Files that rooms give to `workersOf`, absolute; they are not in the module. */
  workers: string[];
}

/** Rooms must share these with the room host: a second copy would have its own match maker and type tables. */
const SHARED = ["@colyseus/core", "@colyseus/schema"];

/**
 * Written to `outDir/<hash>/rooms.mjs`.
 * @throws CentroidError CONFIG_INVALID with the file and what is wrong with it, or with the folder and why it cannot be written
 */
export async function buildRooms({ folder, contents }: RoomsEntry, outDir: string): Promise<RoomsModule> {
  let code: string;
  let sources: string[];
  try {
    const result = await build({
      stdin: { contents, resolveDir: folder, sourcefile: ENTRY_NAME, loader: "ts" },
      // Paths get into the code: the same rooms give the same bundle wherever the program is started.
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node20",
      external: SHARED,
      plugins: [oneCopy(SHARED), nativePackages(), ownTimers(), ownPaths()],
      ...ownPaths.options,
      sourcemap: "inline",
      metafile: true,
      logLevel: "silent",
      banner: {
        js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url); ${ownTimers.banner}`,
      },
    });
    code = result.outputFiles[0]?.text ?? "";
    sources = Object.keys(result.metafile.inputs).map((name) => join(folder, name));
  } catch (cause) {
    const [first] = (cause as Partial<BuildFailure>).errors ?? [];
    const at = first?.location;
    const where = at ? `${relative(process.cwd(), resolve(folder, at.file))}:${at.line}: ` : "";
    throw new CentroidError(
      "CONFIG_INVALID",
      `rooms do not compile: ${where}${first?.text ?? String(cause)}`,
      { cause },
    );
  }
  const shared = SHARED.map((name) => ({ name, folder: folderOf(name) }));
  const hash = createHash("sha256")
    .update(code)
    // Another installation has copies of its own, and may be gone when this one starts.
    .update(JSON.stringify(shared))
    .digest("hex")
    .slice(0, 16);
  const target = join(resolve(outDir), hash);
  const path = join(target, "rooms.mjs");
  try {
    await mkdir(join(target, "node_modules", "@colyseus"), { recursive: true });
    await Promise.all(shared.map(({ name, folder }) => link(folder, join(target, "node_modules", name))));
    await writeWhole(path, code);
  } catch (cause) {
    throw unwritable(resolve(outDir), cause);
  }
  return { path, hash, workers: await workersOfAll(sources) };
}

/** Or not at all: another broker may be reading it. One that is there already needs no room on a disk that is full. */
async function writeWhole(path: string, text: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => undefined)) === text) return;
  const fresh = `${path}.${process.pid}`;
  try {
    await writeFile(fresh, text);
    await rename(fresh, path);
  } catch (cause) {
    await rm(fresh, { force: true });
    throw cause;
  }
}

async function workersOfAll(sources: readonly string[]): Promise<string[]> {
  const named = sources.map(async (path) => workersIn(path, await readFile(path, "utf8").catch(() => "")));
  return [...new Set((await Promise.all(named)).flat())].sort();
}

/** Where the room host's own copy of a package is. */
function folderOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  const inside = join("node_modules", name);
  return entry.slice(0, entry.lastIndexOf(inside) + inside.length);
}

/** The bundle lies in a cache folder; its imports must find the room host's own copies. */
async function link(folder: string, at: string): Promise<void> {
  await symlink(folder, at, "junction").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error;
  });
}
