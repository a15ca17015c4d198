/**
 * `centroid demo` (`npm start`): the whole thing in one terminal. Six edge agents in real cities, distances
 * emulated on the wire, bots that join, play and travel, and a line for every room that follows them.
 */
import { printable } from "@centroid/protocol";
import type { Command } from "commander";
import { loadConfig } from "../config/config.js";
import type { Deployment } from "../deployment/deployment.js";
import { farewell } from "../deployment/farewell.js";
import { color, fail, notice, print } from "../terminal/output.js";
import { showEvents } from "../terminal/show-events.js";
import { untilStopped } from "../terminal/until-stopped.js";

interface DemoFlags {
  port?: number;
  players: number;
  games: number;
  stateDir?: string;
  json?: boolean;
}

/** Everybody travels on after so long: a lap around the Earth takes half a minute. */
const LEG_MS = 6_000;
/** Players and rooms stay for so long; then others come. */
const RUN_MS = 3_600_000;

export function registerDemo(program: Command): void {
  program
    .command("demo")
    .description("run a broker, six hosts with emulated distances, and travelling bots")
    .option("--port <number>", "port of the broker (default 2567; 0: any free port)", Number)
    .option("--players <number>", "number of bots", Number, 24)
    .option("--games <number>", "rooms the bots play in", Number, 4)
    .option("--state-dir <dir>", "folder for tokens and the store")
    .option("--json", "print events as JSON lines")
    .action(async ({ players, games, json: asJson = false, ...flags }: DemoFlags) => {
      const stop = untilStopped();
      try {
        const config = await loadConfig({ ...flags, emulate: true, hosts: 6 });
        // The broker's parts take as long to load as all the rest; other commands need none of them.
        const [{ startDeployment }, { hasVision }] = await Promise.all([
          import("../deployment/deployment.js"),
          import("@centroid/demo"),
        ]);
        await using deployment = await startDeployment(config, {
          // What ends because everything ends is no news.
          notice: (line) => void (stop.aborted || notice(printable(line))),
          signal: stop,
          clean: true,
        });
        const { broker, emulator } = deployment;
        if (asJson) print(JSON.stringify({ type: "started", url: broker.url, emulated: true }));
        else print(welcome(deployment, players, games, hasVision()));
        const bots = play(broker.url, emulator?.controlUrl, players, games, stop);
        await Promise.race([showEvents(broker, asJson, stop), bots]);
        print(farewell(deployment, asJson));
        await bots;
      } catch (cause) {
        if (!stop.aborted) fail(cause, asJson);
      }
    });
}

function welcome(
  { broker, agents, adminToken, tokenIsFresh }: Deployment,
  players: number,
  games: number,
  sees: boolean,
): string {
  return [
    "",
    `  ${color.bold("Centroid")}  rooms that follow their players`,
    `  map         ${color.cyan(`${broker.url}/`)}`,
    `  play        ${color.cyan(`${broker.url}/play/`)}`,
    `  meet        ${color.cyan(`${broker.url}/vr/`)} ${color.dim("desktop or headset")}`,
    ...(sees
      ? [`  see         ${color.cyan(`${broker.url}/see/`)} ${color.dim("camera or drawn clip")}`]
      : []),
    `  hosts       ${agents.length} edge agents, each a process of its own`,
    `  players     ${players} bots in ${games} rooms, travelling with the sun`,
    `  distances   ${color.yellow("emulated")} on the wire from measured round trips`,
    ...(tokenIsFresh
      ? [`  admin token ${adminToken} ${color.dim("(saved for this user, shown once)")}`]
      : []),
    `  ${color.dim("Ctrl-C stops everything")}`,
    "",
  ].join("\n");
}

/** Until stopped. */
async function play(
  brokerUrl: string,
  emulatorControlUrl: string | undefined,
  players: number,
  rooms: number,
  stop: AbortSignal,
): Promise<void> {
  const { runBots } = await import("@centroid/bots");
  for (let seed = 1; !stop.aborted; seed++) {
    await runBots({
      brokerUrl,
      players,
      rooms,
      scenario: "follow-the-sun",
      durationMs: RUN_MS,
      legMs: LEG_MS,
      seed,
      workers: 1,
      signal: stop,
      ...(emulatorControlUrl !== undefined && { emulatorControlUrl }),
    });
  }
}
