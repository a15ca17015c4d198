/** Every command of `centroid`, put together; nothing runs until it is parsed. */
import { readFileSync } from "node:fs";
import { Command } from "commander";
import { registerAgent } from "./commands/agent.js";
import { registerAgentToken } from "./commands/agent-token.js";
import { registerBenchMigrate } from "./commands/bench-migrate.js";
import { registerBenchPlacement } from "./commands/bench-placement.js";
import { registerBots } from "./commands/bots.js";
import { registerDemo } from "./commands/demo.js";
import { registerDoctor } from "./commands/doctor.js";
import { registerGateway } from "./commands/gateway.js";
import { registerImage } from "./commands/image.js";
import { registerLab } from "./commands/lab.js";
import { registerOperate } from "./commands/operate.js";
import { registerReplay } from "./commands/replay.js";
import { registerSimulate } from "./commands/simulate.js";
import { registerTravel } from "./commands/travel.js";
import { registerUp } from "./commands/up.js";

export function createProgram(): Command {
  const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as {
    version: string;
  };
  const program = new Command("centroid")
    .description(
      "A session broker that runs every room where it serves its players best, and moves it there live.",
    )
    .version(version)
    .showSuggestionAfterError()
    .exitOverride();
  registerUp(program);
  registerAgent(program);
  registerAgentToken(program);
  registerGateway(program);
  registerDemo(program);
  registerOperate(program);
  registerTravel(program);
  registerBots(program);
  registerSimulate(program);
  registerReplay(program);
  registerDoctor(program);
  registerLab(program);
  registerImage(program);
  const bench = program.command("bench").description("run benchmarks on this machine");
  registerBenchMigrate(bench);
  registerBenchPlacement(bench);
  return program;
}
