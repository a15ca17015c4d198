/** `centroid simulate`: placement policies on a matrix of round trips, each compared with the offline optimum. */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  DEFAULT_PORTALS,
  DEFAULT_SIMULATION,
  describeUnderstood,
  MatrixError,
  MISSING_RULES,
  type MissingRule,
  POLICIES,
  type PolicyName,
  type RoomDemand,
  RTT_UNITS,
  type RttUnit,
  readRttSlices,
  SIMULATED_SCENARIOS,
  SimulationError,
  SimulationPage,
  type SimulationReport,
  simulate,
  simulatePortals,
  simulateTalkers,
  type Understood,
  WORK_POLICIES,
} from "@centroid/placement";
import { CentroidError } from "@centroid/protocol";
import { type Command, InvalidArgumentError, Option } from "commander";
import { fail, print, printJson, table } from "../terminal/output.js";
import { readRttFiles } from "./rtt-files.js";

interface Flags {
  rtt: string[];
  unit?: RttUnit;
  missing: MissingRule;
  value?: string;
  hosts: number;
  rooms: number;
  players: { minPlayers: number; maxPlayers: number };
  scenario: (typeof SIMULATED_SCENARIOS)[number] | "mixed";
  seed: number;
  policy?: PolicyName[];
  migrationCost: number;
  steps: number;
  noise: number;
  probes: number;
  work?: RoomDemand;
  speeds: readonly [number, number];
  cores: readonly [number, number];
  loads: readonly [number, number];
  portals?: number;
  talk: number;
  talkers?: number;
  html?: string;
  json?: boolean;
}

export function registerSimulate(program: Command): void {
  const d = DEFAULT_SIMULATION;
  program
    .command("simulate")
    .description("compare placement policies with the offline optimum on measured round trips")
    .requiredOption(
      "--rtt <file>",
      "round trips: matrix, long table, JSON, Markdown, also gzipped; a folder, or repeat, for slices over time",
      collect,
    )
    .addOption(new Option("--unit <unit>", "unit of the numbers (default: found out)").choices(RTT_UNITS))
    .addOption(
      new Option(
        "--missing <rule>",
        "pairs that nobody measured: leave out their nodes, take the way by a third node, refuse",
      )
        .choices(MISSING_RULES)
        .default("drop"),
    )
    .option("--value <column>", "column or key of the round trip, where there are several")
    .option("--hosts <n>", "number of nodes that act as hosts, drawn by the seed", number, d.hosts)
    .option("--rooms <n>", "number of rooms", number, d.rooms)
    .option("--players <min-max>", "players per room", range, range(`${d.minPlayers}-${d.maxPlayers}`))
    .addOption(
      new Option("--scenario <name>", "how players come, go and travel")
        .choices(["mixed", ...SIMULATED_SCENARIOS])
        .default(d.scenario),
    )
    .option("--seed <n>", "seed; equal seeds give equal results", number, d.seed)
    .option(
      "--policy <name>",
      `one or more of ${POLICIES.join(", ")}; with --work also ${WORK_POLICIES.join(", ")} (default: all)`,
      collectPolicies,
    )
    .option("--migration-cost <n>", "cost of a move, in ms x players x steps", number, d.migrationCost)
    .option("--steps <n>", "steps per room", number, d.steps)
    .option("--noise <share>", "relative standard deviation of a ping", number, d.noise)
    .option(
      "--probes <n>",
      "maximum confirming probes per player and location where estimates hold",
      number,
      d.probes,
    )
    .option(
      "--work <ms:perSecond>",
      "what each room computes: ms per request at speed 1, requests a second",
      work,
    )
    .option("--speeds <min-max>", "with --work: speed of one core of a host", span, d.speeds)
    .option("--cores <min-max>", "with --work: cores of a host", span, d.cores)
    .option("--loads <min-max>", "with --work: share of a host that other things take", span, d.loads)
    .option(
      "--portals <rooms>",
      "worlds of so many rooms in a ring of portals, by which they talk: placed alone, and together",
      number,
    )
    .option(
      "--talk <share>",
      "with --portals: share of a room's players that is near a portal",
      number,
      DEFAULT_PORTALS.talk,
    )
    .option(
      "--talkers <share>",
      "rooms in which so large a share of the players says nearly everything: all count the same, and weighted",
      number,
    )
    .option("--html <file>", "write an HTML page: rooms over time, every move with its reason, what-if")
    .option("--json", "machine-readable output")
    .action(async (flags: Flags) => {
      try {
        if (flags.portals !== undefined) {
          await runPortals(flags, flags.portals);
          return;
        }
        if (flags.talkers !== undefined) {
          await runTalkers(flags, flags.talkers);
          return;
        }
        const { report, understood } = await run(flags);
        if (flags.json === true) printJson({ ...report, understood });
        else show(report);
      } catch (cause) {
        fail(asUserError(cause), flags.json === true);
      }
    });
}

async function readSlices({ rtt, unit, missing, value, json }: Flags) {
  const files = await readRttFiles(rtt);
  const read = readRttSlices(files, {
    missing,
    ...(unit !== undefined && { unit }),
    ...(value !== undefined && { value }),
  });
  if (json !== true) print(describeUnderstood(read.understood));
  return { files, ...read };
}

/** `--rooms` of them in all, in worlds of `rooms`. */
async function runPortals(flags: Flags, rooms: number): Promise<void> {
  const { slices, understood } = await readSlices(flags);
  const { hosts, seed, steps, noise, probes, migrationCost, talk } = flags;
  const worlds = Math.max(1, Math.round(flags.rooms / rooms));
  const players = rooms * Math.round((flags.players.minPlayers + flags.players.maxPlayers) / 2);
  const options = { hosts, seed, steps, noise, probes, migrationCost, talk, worlds, rooms, players };
  const results = simulatePortals(slices, options);
  if (flags.json === true) {
    printJson({ parameters: options, policies: results, understood });
    return;
  }
  print(
    `${worlds} worlds of ${rooms} rooms and ${players} players, ${hosts} hosts, ${steps} steps, a move costs ${migrationCost} ms.player.step; ms per player and step`,
  );
  print(
    table(
      ["POLICY", "TOTAL", "PLAYERS TO ROOMS", "OVER PORTALS", "MOVES"],
      results.map(({ policy, totalMs, playersMs, portalsMs, movesMs }) => [
        policy,
        ...[totalMs, playersMs, portalsMs, movesMs].map((value) => value.toFixed(1)),
      ]),
    ),
  );
}

/** `--rooms` of them, with players as in any other simulation. */
async function runTalkers(flags: Flags, talkers: number): Promise<void> {
  const { slices, understood } = await readSlices(flags);
  const { hosts, rooms, seed, steps, noise, probes, migrationCost, scenario } = flags;
  const options = { hosts, rooms, seed, steps, noise, probes, migrationCost, scenario, talkers };
  const results = simulateTalkers(slices, { ...options, ...flags.players });
  if (flags.json === true) {
    printJson({ parameters: { ...options, ...flags.players }, policies: results, understood });
    return;
  }
  print(
    `${rooms} rooms, ${Math.round(talkers * 100)} % of the players say nearly everything, ${hosts} hosts, ${steps} steps`,
  );
  print(
    table(
      ["PLAYERS COUNT", "MESSAGE", "J OF EQUALS", "MOVES/ROOM"],
      results.map(({ policy, messageMs, scoreMs, moves }) => [
        policy,
        `${messageMs.toFixed(1)} ms`,
        `${scoreMs.toFixed(1)} ms`,
        moves.toFixed(2),
      ]),
    ),
  );
}

async function run(flags: Flags): Promise<{ report: SimulationReport; understood: Understood }> {
  const {
    rtt: _rtt,
    unit: _unit,
    missing: _missing,
    value: _value,
    players,
    policy,
    html,
    json: _json,
    portals: _portals,
    talk: _talk,
    talkers: _talkers,
    ...rest
  } = flags;
  const { files, slices, understood } = await readSlices(flags);
  const page = new SimulationPage();
  const named = slices.map((slice, i) => ({ ...slice, name: files[i]?.name ?? "" }));
  const options = { ...rest, ...players, ...(policy !== undefined && { policies: policy }) };
  const report = simulate(slices, options, {}, html === undefined ? undefined : page.add);
  if (html !== undefined) {
    const script = await readFile(fileURLToPath(import.meta.resolve("@centroid/placement/page.js")), "utf8");
    await writeFile(html, page.render(report, named, script));
  }
  return { report, understood };
}

function show({ parameters: p, policies }: SimulationReport): void {
  print(
    `${p.rooms} rooms of ${p.minPlayers}-${p.maxPlayers} players, ${p.hosts} hosts of ${p.nodes} nodes, ${p.steps} steps${p.slices > 1 ? ` over ${p.slices} slices of time` : ""}, scenario ${p.scenario}, a move costs ${p.migrationCost} ms.player.step`,
  );
  print(
    table(
      ["POLICY", "STATIC J/J*", "P95", "DYNAMIC", "P95", "MOVES/ROOM", "PROBES/PLAYER"],
      policies.map((r) => [
        r.policy,
        ...[r.staticMean, r.staticP95, r.dynamicMean, r.dynamicP95].map((value) => value.toFixed(3)),
        r.migrations.toFixed(2),
        r.probesPerPlayer.toFixed(2),
      ]),
    ),
  );
}

function asUserError(cause: unknown): unknown {
  if (cause instanceof MatrixError || cause instanceof SimulationError)
    return new CentroidError("BAD_REQUEST", cause.message, { cause });
  if (cause instanceof Error && "path" in cause && String(cause.path).includes("dist-web"))
    return new CentroidError("BAD_REQUEST", "the page is not built: run `npm run build` first", { cause });
  if (cause instanceof Error && "code" in cause && "path" in cause)
    return new CentroidError("BAD_REQUEST", `cannot read ${String(cause.path)} (${String(cause.code)})`, {
      cause,
    });
  return cause;
}

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

function collectPolicies(value: string, before: PolicyName[] | undefined): PolicyName[] {
  const chosen = value.split(",").map((name) => {
    const all = [...POLICIES, ...WORK_POLICIES];
    const policy = all.find((known) => known === name.trim());
    if (policy === undefined) throw new InvalidArgumentError(`"${name}" is none of ${all.join(", ")}.`);
    return policy;
  });
  return [...(before ?? []), ...chosen];
}

function number(value: string): number {
  const parsed = Number(value);
  if (value.trim() === "" || !Number.isFinite(parsed))
    throw new InvalidArgumentError(`"${value}" is not a number.`);
  return parsed;
}

function range(value: string): Flags["players"] {
  const [, low, high] = /^(\d+)(?:-(\d+))?$/.exec(value.trim()) ?? [];
  if (low === undefined) throw new InvalidArgumentError(`"${value}" is not a range such as 4-16.`);
  return { minPlayers: Number(low), maxPlayers: Number(high ?? low) };
}

function span(value: string): readonly [number, number] {
  const [, low, high] = /^([\d.]+)(?:-([\d.]+))?$/.exec(value.trim()) ?? [];
  if (low === undefined || Number.isNaN(Number(low)) || Number.isNaN(Number(high ?? low)))
    throw new InvalidArgumentError(`"${value}" is not a range such as 0.5-4.`);
  return [Number(low), Number(high ?? low)];
}

function work(value: string): RoomDemand {
  const [, msPerRequest, perSecond] = /^([\d.]+):([\d.]+)$/.exec(value.trim()) ?? [];
  if (!Number.isFinite(Number(msPerRequest)) || !Number.isFinite(Number(perSecond)))
    throw new InvalidArgumentError(`"${value}" is not ms per request and requests a second, such as 100:10.`);
  return { msPerRequest: Number(msPerRequest), perSecond: Number(perSecond) };
}
