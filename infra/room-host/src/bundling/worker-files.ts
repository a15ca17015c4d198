/**
 * The files of rooms' workers and whatever these load, as far as their text says it: other files by `./` or `../`, packages
 * by name. They are not bundled, since a worker may read a model from a package's folder, so a container gets copies.
 */
import { existsSync, statSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { dirname, join, resolve } from "node:path";
import { z } from "zod";

/** `workersOf(this, new URL("../worker/detect.mjs", import.meta.url))`; what follows `?` is no part of the file's name. */
const WORKER = /\bnew URL\(\s*["'`]([^"'`$?#]+)[^)]*import\.meta\.url/g;
const RELATIVE = /["'`](\.\.?\/[^"'`$?#\n]+)/g;
const PACKAGE = /\b(?:from|import|require|resolve)\s*\(?\s*["']([^"'./][^"'\n]*)["']/g;
/** `join(folderOfPackage, "dist/model.js")` */
const FILE = /["'`]([\w@][\w@./-]*\.[cm]?js)["'`]/g;
const CODE = /\.[cm]?js$/;
/** Of a package, what nobody loads. */
const NOT_LOADED = /(?:\.d\.[cm]?ts|\.map|\.md)$|^\/(?:tests?|coverage|\.[^/]*)\//;

const manifestSchema = z.object({
  dependencies: z.record(z.string(), z.string()).optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});

/** Worker files that a source file of rooms names. */
export function workersIn(path: string, source: string): string[] {
  if (!source.includes("workersOf")) return [];
  return [...source.matchAll(WORKER)].map(([, name = ""]) => resolve(dirname(path), name)).filter(isFile);
}

/** All files that these workers need, absolute. */
export async function filesOfWorkers(workers: readonly string[]): Promise<string[]> {
  const found = new Files();
  for (const worker of workers) await found.add(worker);
  return [...found.paths].sort();
}

class Files {
  readonly paths = new Set<string>();
  readonly #packages = new Set<string>();

  async add(path: string): Promise<void> {
    if (this.paths.has(path)) return;
    this.paths.add(path);
    if (CODE.test(path)) await this.#scan(path);
  }

  async #scan(path: string): Promise<void> {
    const source = await readFile(path, "utf8");
    for (const [, name = ""] of source.matchAll(RELATIVE)) {
      const other = resolve(dirname(path), name);
      if (isFile(other)) await this.add(other);
    }
    const folders = await this.#requireAll(source, path);
    // What it may read and run itself, with its own `require`.
    for (const [, name = ""] of source.matchAll(FILE))
      for (const file of folders.map((folder) => join(folder, name)).filter(isFile))
        await this.#requireAll(await readFile(file, "utf8"), path);
    const manifest = manifestOf(path);
    if (manifest !== undefined) this.paths.add(manifest);
  }

  /** @returns folders of packages that a source names */
  async #requireAll(source: string, from: string): Promise<string[]> {
    const folders = new Set<string>();
    for (const [, name = ""] of source.matchAll(PACKAGE)) {
      const folder = isBuiltin(name) ? undefined : await this.#require(name, from);
      if (folder !== undefined) folders.add(folder);
    }
    return [...folders];
  }

  /** @param name of a package, or of a file in it @returns its folder */
  async #require(name: string, from: string): Promise<string | undefined> {
    const [packageName = ""] = /^(?:@[^/]+\/)?[^/]+/.exec(name) ?? [];
    const folder = packageFolder(packageName, dirname(from));
    if (folder === undefined || this.#packages.has(folder)) return folder;
    this.#packages.add(folder);
    for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(entry.parentPath, entry.name);
      // Packages within it are found by whoever needs them.
      const within = path.slice(folder.length);
      if (entry.isFile() && !NOT_LOADED.test(within) && !within.includes("/node_modules/"))
        this.paths.add(path);
    }
    const text = await readFile(join(folder, "package.json"), "utf8").catch(() => "{}");
    const { dependencies, optionalDependencies } = manifestSchema.parse(JSON.parse(text));
    for (const needed of Object.keys({ ...dependencies, ...optionalDependencies }))
      await this.#require(needed, join(folder, "package.json"));
    return folder;
  }
}

/** The nearest, as Node looks for it. */
function packageFolder(name: string, from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (dirname(folder) === folder) return undefined;
  }
}

/** It says whether files beside it are modules. */
function manifestOf(path: string): string | undefined {
  for (let folder = dirname(path); dirname(folder) !== folder; folder = dirname(folder))
    if (isFile(join(folder, "package.json"))) return join(folder, "package.json");
  return undefined;
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
