/** Runs a scenario: plans from the seed, players in worker processes, one report at the end. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { seededRandom } from "@centroid/placement";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { PLAYABLE_ROOMS } from "./player/behaviours.js";
import { type ToWorker, toParentSchema } from "./process/messages.js";
import { type BotProgress, type BotReport, ReportBuilder } from "./report/report.js";
import type { PlayerPlan } from "./scenarios/plan.js";
import { BOT_SCENARIOS, SCENARIO_NAMES } from "./scenarios/scenarios.js";
import { loadWorld } from "./world/world.js";

const WORKER = fileURLToPath(new URL("./process/worker.js", import.meta.url));
const PROGRESS_INTERVAL_MS = 1_000;
/** After the end of the run bots wait for their last messages and leave; a worker that has not ended by then is stuck. */
const CLOSING_TIMEOUT_MS = 120_000;
/** Each worker's bots draw from their own part of the seed space. */
const SEED_STRIDE = 1_000_003;

const optionsSchema = z.strictObject({
  brokerUrl: z.url(),
  players: z.number().int().min(1).max(100_000),
  rooms: z.number().int().min(1),
  scenario: z.enum(SCENARIO_NAMES),
  durationMs: z.number().min(1_000),
  /** Between a player's journeys in `follow-the-sun`; if not given, three journeys are spread over the run. */
  legMs: z.number().min(1_000).optional(),
  seed: z.number().int().default(1),
  /** Processes; by default one per core, at most four: the players share the machine with the hosts. */
  workers: z.number().int().min(1).max(64).default(Math.min(4, availableParallelism())),
  emulatorControlUrl: z.url().optional(),
  /** Which demo room they play; by default what the scenario is about. */
  roomType: z.enum(PLAYABLE_ROOMS).optional(),
  inputsPerSecond: z.number().positive().max(60).default(5),
});

export type RunBotsOptions = z.input<typeof optionsSchema> & {
  onProgress?: (progress: BotProgress) => void;
  /** Ends the run early; the report covers what was played. */
  signal?: AbortSignal;
};

/**
 * Plays a scenario against a broker.
 * @throws CentroidError CONFIG_INVALID for options that make no sense, INTERNAL if a worker dies
 */
export async function runBots({ onProgress, signal, ...rest }: RunBotsOptions): Promise<BotReport> {
  const parsed = optionsSchema.safeParse(rest);
  if (!parsed.success) throw new CentroidError("CONFIG_INVALID", `bots: ${z.prettifyError(parsed.error)}`);
  const options = parsed.data;
  const { players, scenario, durationMs, legMs, seed } = options;
  const roomType = options.roomType ?? (scenario === "vision" ? "vision" : "arena");
  const rooms = Math.min(options.rooms, players);
  const workers = Math.min(options.workers, rooms);
  const plans = BOT_SCENARIOS[scenario]({
    players,
    rooms,
    durationMs,
    legMs,
    world: loadWorld(),
    random: seededRandom(seed).next,
  });
  const builder = new ReportBuilder({
    scenario,
    roomType,
    players,
    rooms,
    durationMs,
    seed,
    emulated: options.emulatorControlUrl !== undefined,
  });

  const startedMs = performance.now();
  const children: ChildProcess[] = [];
  const send = (child: ChildProcess, message: ToWorker) => {
    if (child.connected) child.send(message);
  };
  const stopAll = () => {
    for (const child of children) send(child, { type: "stop" });
  };
  const timer = setInterval(
    () => onProgress?.(builder.tick(performance.now() - startedMs)),
    PROGRESS_INTERVAL_MS,
  );
  const deadline = setTimeout(() => {
    for (const child of children) child.kill("SIGKILL");
  }, durationMs + CLOSING_TIMEOUT_MS);
  signal?.addEventListener("abort", stopAll, { once: true });
  try {
    const runs = Array.from({ length: workers }, async (_, worker) => {
      // Colyseus writes its reconnection attempts to stdout, which belongs to the report.
      const child = fork(WORKER, { stdio: ["ignore", "ignore", "inherit", "ipc"] });
      children.push(child);
      let done = false;
      child.on("message", (raw) => {
        const message = toParentSchema.parse(raw);
        builder.add(worker, message.tally);
        done ||= message.type === "done";
      });
      send(child, {
        type: "start",
        brokerUrl: options.brokerUrl,
        emulatorControlUrl: options.emulatorControlUrl,
        roomType,
        inputsPerSecond: options.inputsPerSecond,
        seed: seed + worker * SEED_STRIDE,
        plans: plansOf(plans, worker, workers),
      });
      const [code] = await once(child, "exit");
      if (!done) throw new CentroidError("INTERNAL", `bot worker ${worker} ended early (exit code ${code})`);
    });
    if (signal?.aborted) stopAll();
    await Promise.all(runs);
  } finally {
    clearInterval(timer);
    clearTimeout(deadline);
    signal?.removeEventListener("abort", stopAll);
    for (const child of children) if (child.exitCode === null) child.kill("SIGKILL");
  }
  builder.tick(performance.now() - startedMs);
  return builder.report();
}

/** A group's players share a worker, which makes their room once. */
function plansOf(plans: readonly PlayerPlan[], worker: number, workers: number) {
  return plans
    .filter(({ group }) => group % workers === worker)
    .map(({ legs, visits, ...plan }) => ({ ...plan, legs: [...legs], visits: [...visits] }));
}
