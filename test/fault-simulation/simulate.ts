/** Runs one world from its seed and judges it. The same seed and the same actions make the same history, always. */
import { createHash } from "node:crypto";
import { check } from "./check.js";
import type { Ending, Entry } from "./history.js";
import { type Action, BEGIN_MS, END_MS, plan, type Surroundings } from "./plan.js";
import type { Programs } from "./program.js";
import { World } from "./world.js";

/** Players talk so long after the last fault. */
const TALK_ON_MS = 1_000;
/** What is not right so long after the last fault will not become so. */
const SETTLE_MS = 90_000;
/** What goes wrong late shows within this. */
const AFTERMATH_MS = 1_500;

export interface Simulated {
  seed: number;
  surroundings: Surroundings;
  actions: Action[];
  history: Entry[];
  ending: Ending;
  violations: string[];
  /** Of the whole history: equal for equal runs. */
  hash: string;
  /** Events that were run. */
  events: number;
  simulatedMs: number;
}

export interface Conditions extends Surroundings {
  /** In place of those that the seed gives. */
  actions?: Action[];
}

export async function simulate(
  programs: Programs,
  seed: number,
  { actions, ...surroundings }: Conditions = {},
): Promise<Simulated> {
  const others = process.listeners("unhandledRejection");
  process.removeAllListeners("unhandledRejection");
  try {
    return await run(programs, seed, actions ?? plan(seed, surroundings), surroundings);
  } finally {
    process.removeAllListeners("unhandledRejection");
    for (const listener of others) process.on("unhandledRejection", listener);
  }
}

async function run(
  programs: Programs,
  seed: number,
  actions: Action[],
  surroundings: Surroundings,
): Promise<Simulated> {
  const world = new World(programs, seed, surroundings);
  const { scheduler } = world;
  process.on("unhandledRejection", (cause) => scheduler.onError(scheduler.current, cause));
  await world.begin(1_000);
  const offsetMs = scheduler.nowMs - BEGIN_MS + 200;
  world.schedule(actions, offsetMs);
  await scheduler.run(offsetMs + END_MS + TALK_ON_MS);
  for (const player of world.players) player.quiet = true;
  let open = 1;
  for (const endsAtMs = scheduler.nowMs + SETTLE_MS; scheduler.nowMs < endsAtMs; ) {
    await scheduler.run(Math.min(endsAtMs, scheduler.nowMs + 500));
    open = (await world.ending()).openMigrations.length;
    if (open === 0 && world.quiet()) break;
  }
  await scheduler.run(scheduler.nowMs + AFTERMATH_MS);
  const ending = await world.ending();
  const { history } = world;
  const hash = createHash("sha256")
    .update(JSON.stringify([history, ending]))
    .digest("hex")
    .slice(0, 16);
  const violations = check(history, ending);
  if (world.players.some(({ joined }) => !joined)) violations.unshift("not everybody got in");
  return {
    seed,
    surroundings,
    actions,
    history,
    ending,
    violations,
    hash,
    events: scheduler.count,
    simulatedMs: scheduler.nowMs,
  };
}
