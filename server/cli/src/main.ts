#!/usr/bin/env node
/** The `centroid` program: parses, runs, and turns what went wrong into one line and an exit code. */
import { CommanderError } from "commander";
import { createProgram } from "./program.js";
import { EXIT, fail } from "./terminal/output.js";

async function main(): Promise<void> {
  try {
    await createProgram().parseAsync();
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    process.exitCode = cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

main().catch((cause: unknown) => fail(cause, process.argv.includes("--json")));
