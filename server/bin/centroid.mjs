#!/usr/bin/env node
/** The `centroid` command. A published package is built; a fresh checkout builds itself at its first command. */
import { existsSync } from "node:fs";

// In a checkout the command lies beside this file; installed, npm has put it anywhere above.
const built = new URL("../cli/dist/main.js", import.meta.url);
const build = new URL("../../scripts/build.mjs", import.meta.url);
if (existsSync(build) && !existsSync(built)) await (await import(build.href)).buildFirst();
await import("@centroid/cli/main");
