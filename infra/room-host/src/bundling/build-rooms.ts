/**
 * Compiles a folder of room files (TypeScript or JavaScript) into one module that any room host can load. Built
 * once, by content: all hosts run the same rooms, and a moved room finds its class on the other side.
 */
import { createHash } from "node:crypto";
import { mkdir, readdir, rename, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, extname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CentroidError } from "@centroid/protocol";
import { type BuildFailure, build } from "esbuild";
import { nativePackages, ownPaths } from "./source-plugins.js";

/** A module that exports `rooms`: class or definition by room type. */
export interface RoomsModule {
  path: string;
  hash: string;
}

/** Rooms must share these with the room host: a second copy would have its own match maker and type tables. */
const SHARED = ["@colyseus/core", "@colyseus/schema"];
const EXTENSIONS = new Set([".ts", ".mts", ".js", ".mjs"]);
const ROOM_EXPORTS = fileURLToPath(new URL("./room-exports.js", import.meta.url));

/**
 * Every file of the folder, or only its `index` if there is one. Written to `outDir/<hash>/rooms.mjs`.
 * @throws CentroidError CONFIG_INVALID with the file and what is wrong with it
 */
export async function buildRooms(roomsDir: string, outDir: string): Promise<RoomsModule> {
  const folder = resolve(roomsDir);
  const files = await readdir(folder).catch((cause: unknown) => {
    throw new CentroidError("CONFIG_INVALID", `rooms folder ${folder} cannot be read; pass it with --rooms`, {
      cause,
    });
  });
  const sources = files
    .filter((file) => EXTENSIONS.has(extname(file)) && !/\.(d|test|spec)\.[cm]?[jt]s$/.test(file))
    .sort();
  const index = sources.find((file) => nameOf(file) === "index");
  const used = index === undefined ? sources : [index];
  if (used.length === 0) {
    throw new CentroidError(
      "CONFIG_INVALID",
      `no room files in ${folder}; add one per room type, e.g. arena.ts`,
    );
  }
  let code: string;
  try {
    const result = await build({
      stdin: { contents: entryOf(used), resolveDir: folder, sourcefile: "rooms.ts", loader: "ts" },
      // Paths get into the code: the same rooms give the same bundle wherever the program is started.
      absWorkingDir: folder,
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      target: "node20",
      external: SHARED,
      alias: { colyseus: "@colyseus/core" },
      plugins: [nativePackages(), ownPaths()],
      ...ownPaths.options,
      sourcemap: "inline",
      logLevel: "silent",
      banner: {
        js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);',
      },
    });
    code = result.outputFiles[0]?.text ?? "";
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
  await mkdir(join(target, "node_modules", "@colyseus"), { recursive: true });
  await Promise.all(shared.map(({ name, folder }) => link(folder, join(target, "node_modules", name))));
  const path = join(target, "rooms.mjs");
  // Whole or not at all: another broker may be reading it.
  const fresh = `${path}.${process.pid}`;
  await writeFile(fresh, code);
  await rename(fresh, path);
  return { path, hash };
}

const nameOf = (file: string): string => basename(file, extname(file));

function entryOf(files: readonly string[]): string {
  const list = files.map((file, at) => {
    const [name, quoted] = [JSON.stringify(nameOf(file)), JSON.stringify(file)];
    return `{ name: ${name}, file: ${quoted}, exports: file${at} }`;
  });
  return [
    `import { roomTypesOf } from ${JSON.stringify(ROOM_EXPORTS)};`,
    ...files.map((file, at) => `import * as file${at} from ${JSON.stringify(`./${file}`)};`),
    `export const rooms = roomTypesOf([${list.join(", ")}]);`,
  ].join("\n");
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
