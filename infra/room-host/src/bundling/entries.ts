/** What is compiled: a folder with files of rooms, or the file in which a project configures its Colyseus server. */
import { readdir, stat } from "node:fs/promises";
import { basename, dirname, extname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { CentroidError } from "@centroid/protocol";

/** Source text, and where what it imports is looked for. */
export interface RoomsEntry {
  folder: string;
  contents: string;
}

/** As errors would name it; it is no file of the project. */
export const ENTRY_NAME = ".centroid-entry.ts";

const EXTENSIONS = new Set([".ts", ".mts", ".js", ".mjs"]);
const APP_EXTENSIONS = new Set([...EXTENSIONS, ".cts", ".cjs"]);
const ROOM_EXPORTS = fileURLToPath(new URL("./room-exports.js", import.meta.url));
const PROJECT_EXPORTS = fileURLToPath(new URL("./project-exports.js", import.meta.url));

/** Every file of the folder, or only its `index` if there is one. @throws CentroidError CONFIG_INVALID */
export async function folderEntry(roomsDir: string): Promise<RoomsEntry> {
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
  if (used.length === 0)
    throw new CentroidError(
      "CONFIG_INVALID",
      `no room files in ${folder}; add one per room type, e.g. arena.ts`,
    );
  const list = used.map((file, at) => {
    const [name, quoted] = [JSON.stringify(nameOf(file)), JSON.stringify(file)];
    return `{ name: ${name}, file: ${quoted}, exports: file${at} }`;
  });
  const contents = [
    `import { roomTypesOf } from ${JSON.stringify(ROOM_EXPORTS)};`,
    ...used.map((file, at) => `import * as file${at} from ${JSON.stringify(`./${file}`)};`),
    `export const rooms = roomTypesOf([${list.join(", ")}]);`,
  ].join("\n");
  return { folder, contents };
}

/** The project that this file configures, e.g. `src/app.config.ts`. @throws CentroidError CONFIG_INVALID */
export async function appEntry(appFile: string): Promise<RoomsEntry> {
  const path = resolve(appFile);
  const isFile = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  if (!isFile || !APP_EXTENSIONS.has(extname(path)))
    throw new CentroidError(
      "CONFIG_INVALID",
      `${appFile} is no file of a Colyseus server; pass the one that exports defineServer(...), e.g. --app src/app.config.ts`,
    );
  const file = basename(path);
  const contents = [
    // Comes first: from then on a server that is configured does not start.
    `import { readProject } from ${JSON.stringify(PROJECT_EXPORTS)};`,
    `import * as exported from ${JSON.stringify(`./${file}`)};`,
    `export const { rooms, app } = await readProject(exported, ${JSON.stringify(file)}, () => {`,
    // Not there in a project without an express hook; `require` in a `try` may fail.
    `  try { return require("express"); } catch { return undefined; }`,
    `});`,
  ].join("\n");
  return { folder: dirname(path), contents };
}

const nameOf = (file: string): string => basename(file, extname(file));
