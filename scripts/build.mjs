/**
 * Builds what runs: every package without type checks (`npm run check` does those), then the pages that browsers load.
 * Only what is out of date is built again. The `centroid` command comes last, so where it exists, all else does.
 *
 * `npm start`, `npm run dev`, `npm test` and the commands of a checkout that was never built begin with this.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(import.meta.dirname, "..");
const TSC = join(ROOT, "node_modules/typescript/bin/tsc");
const TSC_FLAGS = ["-b", "--noCheck"];
const BEFORE_PAGES = [
  "placement",
  "client/sdk",
  "client/demo",
  "client/naf-adapter",
  "client/create-centroid",
];
/** `sysexits.h`: what was asked for cannot be made from what is there. */
const EXIT_DATA = 65;

/**
 * @param {AbortSignal} [signal] gives up
 * @returns {Promise<boolean>} false if something does not compile; what, is on stderr
 */
export async function build(signal) {
  const steps = [
    [TSC, ...TSC_FLAGS, ...BEFORE_PAGES],
    ["client/build-pages.mjs"],
    [TSC, ...TSC_FLAGS, "infra", "server"],
  ];
  for (const args of steps) if ((await run(args, signal)) !== 0) return false;
  return true;
}

/** For commands of a checkout: builds if nothing was built yet, or ends the process. */
export async function buildFirst() {
  process.stderr.write("this checkout is built once before its first command; that takes some ten seconds\n");
  if (!(await build())) process.exit(EXIT_DATA);
}

/** All output goes to stderr: stdout belongs to the command that needs the build. */
function run(args, signal) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: ["ignore", 2, 2], signal });
  return new Promise((resolve) => {
    child.once("error", () => resolve(null));
    child.once("exit", resolve);
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url) && !(await build())) process.exitCode = EXIT_DATA;
