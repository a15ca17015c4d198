/**
 * `npm test`: makes sure of what the tests need from the system, builds, checks types and lint, runs the whole suite.
 * `npm test -- FILE ...`: builds what is out of date and runs these files only; any other argument is Vitest's.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { build } from "./build.mjs";

const ROOT = join(import.meta.dirname, "..");
const VITEST = "node_modules/vitest/vitest.mjs";
const wanted = process.argv.slice(2);

if (wanted.length > 0) {
  if (!(await build())) process.exit(1);
} else {
  orEnd(process.execPath, ["test/setup/system-packages.mjs"]);
  orEnd("npm", ["run", "--silent", "build"]);
  orEnd("npm", ["run", "--silent", "check"]);
}
orEnd(process.execPath, [VITEST, "run", ...wanted]);

/** Runs it in this terminal; its failure is ours. */
function orEnd(command, args) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}
