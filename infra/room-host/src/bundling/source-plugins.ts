/**
 * What bundling would take from a source file: where it lies on the disk, native code beside it, and the one copy of
 * Colyseus that it shares with the program which loads it.
 */
import { existsSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { dirname, extname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Loader, Plugin } from "esbuild";
import { z } from "zod";
import { ROOM_TIMERS } from "../activity/room-timers.js";

const LOADERS: Record<string, Loader> = {
  ".ts": "ts",
  ".mts": "ts",
  ".cts": "ts",
  ".tsx": "tsx",
  ".jsx": "jsx",
  ".js": "js",
  ".mjs": "js",
  ".cjs": "js",
};
const URL_NAME = "__sourceFileUrl";
const TIMERS = ["setTimeout", "setInterval", "setImmediate"] as const;
/** What they are called in what is bundled; declared for all of it by {@link ownTimers}.banner. */
const timerName = (name: string): string => `__${name}`;
/** Those of the room host, which know whose they are; outside of one there are none. */
const HOST_TIMERS = `globalThis[Symbol.for(${JSON.stringify(ROOM_TIMERS)})]`;
const PACKAGE = /[\\/]node_modules[\\/]/;

/**
 * `__dirname`, `__filename` and `import.meta.url` are those of the file that says them, as if it was not bundled. Timers of
 * the project's own files, not of its packages, are the room host's.
 */
export function ownPaths(): Plugin {
  return {
    name: "own-paths",
    setup({ onLoad }) {
      onLoad({ filter: /\.[cm]?[jt]sx?$/ }, async ({ path }) => {
        const contents = (await readFile(path, "utf8")).replace(/^#!.*/, "");
        const paths = /\b__dirname\b|\b__filename\b|\bimport\.meta\b/.test(contents);
        const timers = !PACKAGE.test(path) && /\bset(?:Timeout|Interval|Immediate)\b/.test(contents);
        if (!paths && !timers) return undefined;
        const values = Object.entries({
          ...(paths && {
            __dirname: JSON.stringify(dirname(path)),
            __filename: JSON.stringify(path),
            [URL_NAME]: JSON.stringify(pathToFileURL(path).href),
          }),
          ...(timers &&
            Object.fromEntries(
              TIMERS.map((name) => [timerName(name), `(${HOST_TIMERS} ?? globalThis).${name}`]),
            )),
        }).filter(([name]) => !declares(contents, name));
        const names = values.map(([name, value]) => `${name} = ${value}`).join(", ");
        // On the first line: lines keep their numbers.
        return {
          contents: names === "" ? contents : `var ${names};${contents}`,
          loader: LOADERS[extname(path)] ?? "js",
        };
      });
    },
  };
}
ownPaths.options = {
  define: {
    "import.meta.url": URL_NAME,
    "import.meta.dirname": "__dirname",
    "import.meta.filename": "__filename",
    ...Object.fromEntries(TIMERS.map((name) => [name, timerName(name)])),
  },
};

/** `import ... from "node:timers"` and `"node:timers/promises"` in the project's own files get the room host's, too. */
export function ownTimers(): Plugin {
  return {
    name: "own-timers",
    setup({ onResolve, onLoad }) {
      onResolve({ filter: /^(?:node:)?timers(?:\/promises)?$/ }, ({ path, importer, namespace }) => {
        if (namespace !== "file" || PACKAGE.test(importer)) return undefined;
        return { path: path.replace(/^(?!node:)/, "node:"), namespace: "own-timers" };
      });
      onLoad({ filter: /.*/, namespace: "own-timers" }, ({ path }) => {
        const promises = path.endsWith("/promises");
        const names = promises
          ? [...TIMERS, "scheduler"]
          : [...TIMERS, "clearTimeout", "clearInterval", "clearImmediate", "promises"];
        return {
          contents: `import nodes from ${JSON.stringify(path)};
const own = ${HOST_TIMERS}${promises ? "?.promises" : ""} ?? nodes;
export default own;
export const { ${names.join(", ")} } = own;`,
          loader: "js",
        };
      });
    },
  };
}
/** For packages, whose timers stay Node's. */
ownTimers.banner = `var ${TIMERS.map((name) => `${timerName(name)} = ${name}`).join(", ")};`;

/** Modules make their own `__dirname` from their URL. */
function declares(contents: string, name: string): boolean {
  return new RegExp(`\\b(?:const|let|var)\\s+${name}\\b`).test(contents);
}

/**
 * CommonJS gets the same modules as everything else: a package may have a second build for `require`, with a match maker
 * and classes of its own. `colyseus` is what it re-exports, or its core where it is not installed.
 * @param shared packages that are not bundled
 */
export function oneCopy(shared: readonly string[]): Plugin {
  const names = shared.map((name) => name.replace("/", "\\/")).join("|");
  return {
    name: "one-copy",
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: new RegExp(`^(?:${names})(?:/.*)?$`) }, ({ path, kind, resolveDir }) =>
        kind === "require-call" ? { path, namespace: "one-copy", pluginData: resolveDir } : undefined,
      );
      onLoad({ filter: /.*/, namespace: "one-copy" }, ({ path, pluginData }) => ({
        contents: `export * from ${JSON.stringify(path)};`,
        resolveDir: String(pluginData),
      }));
      onResolve({ filter: /^colyseus$/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (pluginData === SEEN) return undefined;
        const found = await resolve(path, { kind, resolveDir, importer, pluginData: SEEN });
        if (found.errors.length === 0) return { path: found.path, sideEffects: found.sideEffects };
        return resolve("@colyseus/core", { kind, resolveDir, importer });
      });
    },
  };
}

/** Packages with native code find it by where they lie, so they stay there; a native file is loaded, not read. */
export function nativePackages(): Plugin {
  return {
    name: "native-packages",
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, importer, pluginData }) => {
        if (pluginData === SEEN || kind === "entry-point") return undefined;
        const found = await resolve(path, { kind, resolveDir, importer, pluginData: SEEN });
        if (found.external || found.errors.length > 0 || !(await isNative(found.path))) return undefined;
        return { path: found.path, external: true };
      });
      onLoad({ filter: /\.node$/ }, ({ path }) => ({
        contents: `const { createRequire } = require("node:module"); module.exports = createRequire(${JSON.stringify(path)})(${JSON.stringify(path)});`,
        loader: "js",
      }));
    },
  };
}
const SEEN = Symbol("resolved by the plugin already");

/** True of a file in a package that is built for one system. */
async function isNative(file: string): Promise<boolean> {
  const inside = /^.*[\\/]node_modules[\\/](?:@[^\\/]+[\\/])?[^\\/]+/.exec(file)?.[0];
  if (inside === undefined) return false;
  if (existsSync(join(inside, "binding.gyp")) || existsSync(join(inside, "prebuilds"))) return true;
  const names = await readdir(inside).catch(() => []);
  if (names.some((name) => name.endsWith(".node"))) return true;
  const text = await readFile(join(inside, "package.json"), "utf8").catch(() => "{}");
  const manifest = manifestSchema.safeParse(JSON.parse(text)).data;
  return (
    Object.keys(manifest?.dependencies ?? {}).some((name) => LOADS_NATIVE.has(name)) ||
    Object.keys(manifest?.optionalDependencies ?? {}).some((name) => /\b(linux|darwin|win32)\b/.test(name))
  );
}

const LOADS_NATIVE = new Set(["bindings", "node-gyp-build", "prebuild-install", "@mapbox/node-pre-gyp"]);
const manifestSchema = z.object({
  dependencies: z.record(z.string(), z.string()).optional(),
  optionalDependencies: z.record(z.string(), z.string()).optional(),
});
