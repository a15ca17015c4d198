/**
 * `npm run --silent pack`: packs every package into `packed/` and prints the tarballs' paths in one line, so that a
 * project elsewhere installs them from this checkout: `npm install $(npm --prefix PATH run --silent pack)`.
 */
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";

const ROOT = join(import.meta.dirname, "..");
const OUT = join(ROOT, "packed");
const { workspaces } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));

if (!(await build())) process.exit(1);
rmSync(OUT, { recursive: true, force: true });
mkdirSync(OUT);
const packed = execFileSync(
  "npm",
  [
    "pack",
    "--json",
    "--ignore-scripts",
    "--pack-destination",
    OUT,
    ...workspaces.filter((path) => path !== "test").map((path) => `./${path}`),
  ],
  { cwd: ROOT, encoding: "utf8", stdio: ["ignore", "pipe", "inherit"] },
);
console.log(
  Object.values(JSON.parse(packed))
    .map(({ filename }) => join(OUT, filename))
    .join(" "),
);
