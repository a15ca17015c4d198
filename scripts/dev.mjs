/**
 * `npm run dev`: builds, runs the demo, and does both again whenever a source file changes. What does not compile is
 * said and the demo runs on. Arguments are those of `centroid`: `npm run dev -- up --rooms ./rooms --emulate`.
 */
import { spawn } from "node:child_process";
import { watch } from "node:fs";
import { join } from "node:path";
import { build } from "./build.mjs";

const ROOT = join(import.meta.dirname, "..");
const CENTROID = join(ROOT, "server/cli/dist/main.js");
const WATCHED = ["client", "infra", "placement", "server"];
const OUTPUT = /(^|[/\\])(node_modules|dist|dist-web|\.types|build)([/\\]|$)|\.tsbuildinfo|(~|\.sw[px])$/;
/** Editors and git write many files at once. */
const SETTLE_MS = 150;

const args = process.argv.slice(2);
const stop = new AbortController();
let demo;
let timer;
let working = false;
let again = false;

for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => void end());
const watchers = WATCHED.map((dir) =>
  watch(join(ROOT, dir), { recursive: true }, (_event, file) => {
    if (file === null || OUTPUT.test(file)) return;
    clearTimeout(timer);
    timer = setTimeout(rebuild, SETTLE_MS);
  }),
);
await rebuild();

async function rebuild() {
  again = working;
  if (working) return;
  working = true;
  do {
    again = false;
    const startedAtMs = performance.now();
    const built = await build(stop.signal);
    if (stop.signal.aborted) return;
    if (!built) say("it does not compile; waiting for the next change");
    else {
      say(`built in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`);
      await ended(demo);
      if (!stop.signal.aborted) demo = start();
    }
  } while (again);
  working = false;
}

/** In a group of its own: Ctrl-C comes here, and from here once to the program. */
function start() {
  return spawn(process.execPath, [CENTROID, ...(args.length > 0 ? args : ["demo"])], {
    stdio: "inherit",
    detached: true,
  });
}

function ended(child) {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.kill("SIGINT");
  return new Promise((resolve) => child.once("exit", resolve));
}

async function end() {
  if (stop.signal.aborted) return;
  stop.abort();
  clearTimeout(timer);
  for (const watcher of watchers) watcher.close();
  await ended(demo);
  process.exit(0);
}

function say(line) {
  process.stderr.write(`dev    ${line}\n`);
}
