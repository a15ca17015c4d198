/**
 * Bundles the pages that browsers load, side by side, and only those whose sources are newer than what was built.
 * Expects the packages' own `dist` folders to be there.
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { build } from "vite";

const HERE = import.meta.dirname;
/** Folder of a package, and a file that Vite writes anew each time. */
const PAGES = [
  { dir: "dashboard", built: "dist/index.html" },
  { dir: "naf-adapter", built: "dist-web/centroid-naf-adapter.js" },
  { dir: "demo", built: "dist-web/vr/index.html" },
  { dir: "../placement", built: "dist-web/page.js" },
];
/** What the pages take in from other packages. */
const SHARED = ["sdk/dist", "protocol/dist", "naf-adapter/dist"];
const NO_SOURCE = new Set(["node_modules", "dist", "dist-web", ".types"]);

const shared = Math.max(...(await Promise.all(SHARED.map((dir) => newestMs(join(HERE, dir))))));
const stale = await Promise.all(
  PAGES.map(async ({ dir, built }) => {
    const builtMs = await stat(join(HERE, dir, built)).then(
      ({ mtimeMs }) => mtimeMs,
      () => 0,
    );
    return builtMs < Math.max(shared, await newestMs(join(HERE, dir), NO_SOURCE)) ? [join(HERE, dir)] : [];
  }),
);
await Promise.all(
  stale.flat().map((dir) => build({ configFile: join(dir, "vite.config.ts"), logLevel: "warn" })),
);

/**
 * @param {string} dir
 * @param {ReadonlySet<string>} [without] names left out at the top
 * @returns {Promise<number>} when the newest file in there was written; 0 without one
 */
async function newestMs(dir, without = new Set()) {
  const entries = await readdir(dir, { withFileTypes: true });
  const times = entries
    .filter(({ name }) => !without.has(name))
    .map(async (entry) => {
      const path = join(dir, entry.name);
      return entry.isDirectory() ? newestMs(path) : (await stat(path)).mtimeMs;
    });
  return Math.max(0, ...(await Promise.all(times)));
}
