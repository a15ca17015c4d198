/** Files of round trips from disk: single ones, or all of a folder as slices in order, gzipped or not. */
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { MatrixError, type RttFile } from "@centroid/placement";

/** What lies beside data and is none. */
const NO_DATA = /^\.|^(readme|licen[cs]e|copying|changelog|citation|notice)/i;
/** Files read at a time: folders have hundreds. */
const AT_ONCE = 16;
const GZIP = [0x1f, 0x8b];

/** @throws the error of the file system, or MatrixError on an empty folder */
export async function readRttFiles(paths: readonly string[]): Promise<RttFile[]> {
  const all: string[] = [];
  for (const path of paths) all.push(...((await stat(path)).isDirectory() ? await filesIn(path) : [path]));
  const files: RttFile[] = [];
  for (let i = 0; i < all.length; i += AT_ONCE)
    files.push(
      ...(await Promise.all(
        all.slice(i, i + AT_ONCE).map(async (path) => ({ name: basename(path), text: await textOf(path) })),
      )),
    );
  return files;
}

/** By name, numbers by their size: `slice-2` comes before `slice-10`. */
async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && !NO_DATA.test(entry.name))
    .map(({ name }) => name);
  if (names.length === 0)
    throw new MatrixError(
      "MATRIX_EMPTY",
      `${folder} has no files of round trips; give a file, or a folder of slices`,
    );
  const { compare } = new Intl.Collator("en", { numeric: true });
  return names.sort(compare).map((name) => join(folder, name));
}

async function textOf(path: string): Promise<string> {
  const bytes = await readFile(path);
  const packed = GZIP.every((byte, i) => bytes[i] === byte);
  return (packed ? await promisify(gunzip)(bytes) : bytes).toString("utf8");
}
