/** Reads `centroid.config.ts` (or .mjs, .js, .json): built by esbuild, imports of the user's own included. */
import { existsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { CentroidError } from "@centroid/protocol";
import { type BuildFailure, build, type Plugin } from "esbuild";

const CONFIG_FILES = [
  "centroid.config.ts",
  "centroid.config.mjs",
  "centroid.config.js",
  "centroid.config.json",
];

/** Paths that a configuration file gives are relative to it, wherever the command is run. */
const PATH_KEYS = ["rooms", "app", "page", "stateDir", "trace"];

/** The configuration file of a folder, if it has one. */
export const findConfigFile = (folder: string): string | undefined =>
  CONFIG_FILES.map((name) => join(folder, name)).find((path) => existsSync(path));

/** @throws CentroidError CONFIG_INVALID naming the file, and the line if there is one */
export async function readConfigFile(path: string): Promise<Record<string, unknown>> {
  if (!existsSync(path)) throw new CentroidError("CONFIG_INVALID", `${path} does not exist`);
  try {
    const result = await build({
      entryPoints: [path],
      bundle: true,
      write: false,
      format: "esm",
      platform: "node",
      plugins: [ownHelper, packagesByAddress],
      logLevel: "silent",
    });
    const code = result.outputFiles[0]?.text ?? "";
    const module = (await import(`data:text/javascript;base64,${Buffer.from(code).toString("base64")}`)) as {
      default?: unknown;
    };
    const value = module.default;
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw new Error("the default export must be an object");
    }
    const config: Record<string, unknown> = { ...value };
    for (const key of PATH_KEYS) {
      const given = config[key];
      if (typeof given === "string") config[key] = resolve(dirname(path), given);
    }
    return config;
  } catch (cause) {
    const [first] = (cause as Partial<BuildFailure>).errors ?? [];
    const line = first?.location ? `${first.location.line}: ` : "";
    const message = first?.text ?? (cause instanceof Error ? cause.message.split("\n")[0] : String(cause));
    throw new CentroidError("CONFIG_INVALID", `${path}:${line === "" ? " " : line}${message ?? ""}`, {
      cause,
    });
  }
}

/** `defineConfig` works in a folder that has nothing installed, as with a globally installed command. */
const ownHelper: Plugin = {
  name: "own-helper",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^@centroid\/server\/config$/ }, () => ({ path: "config", namespace: "own-helper" }));
    onLoad({ filter: /.*/, namespace: "own-helper" }, () => ({
      contents: "export const defineConfig = (config) => config;",
    }));
  },
};

/** Packages stay outside the bundle; a data: URL can import them only by their full address. */
const packagesByAddress: Plugin = {
  name: "packages-by-address",
  setup({ onResolve, resolve: find }) {
    onResolve({ filter: /^[^./]/ }, async ({ path, kind, resolveDir, pluginData }) => {
      if (kind === "entry-point" || path.startsWith("node:") || pluginData === packagesByAddress)
        return undefined;
      const found = await find(path, { kind, resolveDir, pluginData: packagesByAddress });
      if (found.errors.length > 0 || found.external) return undefined;
      return { path: pathToFileURL(found.path).href, external: true };
    });
  },
};
