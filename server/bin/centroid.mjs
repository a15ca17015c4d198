#!/usr/bin/env node
/** The `centroid` command. A published package is built; a fresh checkout builds itself at its first command. */
import { existsSync } from "node:fs";

const main = new URL("../dist/cli/main.js", import.meta.url);
if (!existsSync(main)) await (await import("../../scripts/build.mjs")).buildFirst();
await import(main.href);
