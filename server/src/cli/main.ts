#!/usr/bin/env node
/** The `centroid` command. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { registerAgent } from "./commands/agent.js";
import { registerBenchMigrate } from "./commands/bench-migrate.js";
import { registerBenchPlacement } from "./commands/bench-placement.js";
import { registerBots } from "./commands/bots.js";
import { registerDemo } from "./commands/demo.js";
import { registerDoctor } from "./commands/doctor.js";
import { registerImage } from "./commands/image.js";
import { registerLab } from "./commands/lab.js";
import { registerOperate } from "./commands/operate.js";
import { registerReplay } from "./commands/replay.js";
import { registerSimulate } from "./commands/simulate.js";
import { registerTravel } from "./commands/travel.js";
import { registerUp } from "./commands/up.js";
import { EXIT, fail } from "./output.js";

async function main(): Promise<void> {
  const { version } = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("centroid")
    .description(
      "A session broker that keeps every room in the middle of its players, and moves it there live.",
    )
    .version(version)
    .showSuggestionAfterError()
    .exitOverride();
  registerUp(program);
  registerAgent(program);
  registerDemo(program);
  registerOperate(program);
  registerTravel(program);
  registerBots(program);
  registerSimulate(program);
  registerReplay(program);
  registerDoctor(program);
  registerLab(program);
  registerImage(program);
  const bench = program.command("bench").description("measure this machine");
  registerBenchMigrate(bench);
  registerBenchPlacement(bench);
  try {
    await program.parseAsync();
  } catch (cause) {
    if (!(cause instanceof CommanderError)) throw cause;
    process.exitCode = cause.exitCode === 0 ? EXIT.ok : EXIT.usage;
  }
}

main().catch((cause: unknown) => fail(cause, process.argv.includes("--json")));
