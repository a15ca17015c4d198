/** `centroid bots`: players as scripts against a broker, live progress, a table at the end. */
import { writeFile } from "node:fs/promises";
import {
  type BotProgress,
  type BotReport,
  PLAYABLE_ROOMS,
  type PlayableRoom,
  renderHtmlReport,
  reportRows,
  runBots,
  SCENARIO_NAMES,
  type ScenarioName,
} from "@centroid/bots";
import { CentroidError, controlRoutes, printableValues } from "@centroid/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { BrokerClient, type BrokerFlags, withBroker } from "../control/broker-client.js";
import { parseDuration } from "../terminal/duration.js";
import { color, EXIT, fail, ms, print, printJson, table } from "../terminal/output.js";
import { untilStopped } from "../terminal/until-stopped.js";

interface BotsFlags extends BrokerFlags {
  players: number;
  rooms: number;
  scenario: ScenarioName;
  duration: number;
  leg?: number;
  seed: number;
  workers?: number;
  roomType?: PlayableRoom;
  rate: number;
  html?: string;
}

export function registerBots(program: Command): void {
  withBroker(
    program.command("bots").description("run scripted players that join, play, travel and count messages"),
  )
    .option("--players <number>", "number of bots", wholeNumber, 50)
    .option("--rooms <number>", "rooms the bots play in", wholeNumber, 5)
    .addOption(
      new Option("--scenario <name>", "what they do").choices(SCENARIO_NAMES).default("follow-the-sun"),
    )
    .option("--duration <time>", "length of the run, such as 500ms, 60s or 5m", parseDuration, 60_000)
    .option(
      "--leg <time>",
      "time between journeys in follow-the-sun (default: a quarter of the run)",
      parseDuration,
    )
    .option("--seed <number>", "seed of the run; equal seeds plan equal runs", wholeNumber, 1)
    .option("--workers <number>", "number of processes (default: one per core, at most 4)", wholeNumber)
    .addOption(
      new Option(
        "--room-type <type>",
        "demo room to play (default: arena; vision in the scenario vision)",
      ).choices(PLAYABLE_ROOMS),
    )
    .option("--rate <number>", "messages per bot and second", Number, 5)
    .option("--html <file>", "write an HTML report with plots")
    .addHelpText("after", "\nExit code 1: a join failed, or a message was lost, doubled or out of order.")
    .action(async (flags: BotsFlags) => {
      try {
        const report = await play(flags);
        if (flags.html !== undefined) await writeFile(flags.html, renderHtmlReport(report));
        if (flags.json === true) printJson(report);
        else {
          print(table(["", ""], reportRows(printableValues(report))));
          if (report.emulated) print(color.dim("distances are emulated"));
          if (flags.html !== undefined) print(color.dim(`plots: ${flags.html}`));
        }
        if (!isClean(report)) process.exitCode = EXIT.failed;
      } catch (cause) {
        fail(cause, flags.json === true);
      }
    });
}

async function play(flags: BotsFlags): Promise<BotReport> {
  const broker = new BrokerClient(flags);
  const emulatorControlUrl = await emulation(broker);
  const progress = new ProgressLine();
  try {
    return await runBots({
      brokerUrl: broker.url,
      players: flags.players,
      rooms: flags.rooms,
      scenario: flags.scenario,
      durationMs: flags.duration,
      seed: flags.seed,
      ...(flags.roomType !== undefined && { roomType: flags.roomType }),
      inputsPerSecond: flags.rate,
      ...(flags.leg !== undefined && { legMs: flags.leg }),
      ...(flags.workers !== undefined && { workers: flags.workers }),
      ...(emulatorControlUrl !== undefined && { emulatorControlUrl }),
      onProgress: (now) => progress.show(now),
      signal: untilStopped(),
    });
  } finally {
    progress.end();
  }
}

/** Where players move on the emulated network, if the broker has one and lets us know. */
async function emulation(broker: BrokerClient): Promise<string | undefined> {
  try {
    return (await broker.call(controlRoutes.status, {})).emulationUrl;
  } catch (cause) {
    // Playing needs no admin token; only travelling on somebody's emulated network does.
    if (CentroidError.from(cause).code === "UNAUTHORIZED") return undefined;
    throw cause;
  }
}

function isClean({ joins, messages }: BotReport): boolean {
  const { lost, duplicated, reordered, corrupted } = messages;
  return joins.failed + lost + duplicated + reordered + corrupted === 0;
}

/** On a terminal one line that changes; elsewhere a line every ten seconds. On stderr, so that stdout is the result. */
class ProgressLine {
  static readonly #everySeconds = 10;
  #shown = 0;

  show(now: BotProgress): void {
    const line =
      `${Math.round(now.elapsedMs / 1000)} s  ${now.playing}/${now.players} playing  ` +
      `${now.migrations} migrations  round trip ${ms(now.rtt.p50Ms)} / ${ms(now.rtt.p95Ms)}  ` +
      `freeze p99 ${ms(now.freeze.p99Ms, 1)}  ${now.messages.sent + now.messages.received} messages  ` +
      `${now.messages.lost} lost`;
    if (process.stderr.isTTY) process.stderr.write(`\r\u001b[2K${line}`);
    else if (this.#shown % ProgressLine.#everySeconds === 0) process.stderr.write(`${line}\n`);
    this.#shown += 1;
  }

  end(): void {
    if (process.stderr.isTTY && this.#shown > 0) process.stderr.write("\r\u001b[2K");
  }
}

function wholeNumber(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("expected a whole number.");
  return Number(text);
}
