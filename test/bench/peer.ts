/**
 * The same room and the same players on bare Colyseus and here, in turns: how long joins and round trips take, and the
 * CPU of each process. Servers share one core and players have the other, so that neither slows the other. Everything is
 * measured twice: of the first players that programs have seen since their start, and of as many that come when these have
 * left. With `CENTROID_PROFILES=FOLDER` each server process writes two CPU profiles of the latter: while they join, and while
 * all play.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { quantileOf } from "@centroid/placement";
import { DisposalStack, endChild } from "@centroid/protocol/node";
import { cpuMsOf, descendants } from "../support/processes.js";
import { Cli } from "../support/run-cli.js";
import { startBareColyseus } from "./bare-server.js";
import type { BenchOptions } from "./groups.js";
import type { FromPlayers, PlayersReport, PlayersTask } from "./peer-players.js";
import { type Row, rowOf } from "./row.js";

const ROOMS = join(import.meta.dirname, "../fixtures/peer-rooms");
const DEFAULT_PLAYERS = [100, 500];
const JOINS_PER_SECOND = 50;
const DEFAULT_PLAY_S = 10;
/** Programs have loaded by then what they load before anybody comes. */
const SETTLE_MS = 4_000;
const STOP_TIMEOUT_MS = 5_000;
const PROFILE_WRITTEN_MS = 3_000;
const HOOK = pathToFileURL(join(import.meta.dirname, "profile-hook.mjs")).href;
const PROFILED: Record<string, string> =
  process.env.CENTROID_PROFILES === undefined ? {} : { NODE_OPTIONS: `--import ${HOOK}` };

const VISITS = ["first", "next"] as const satisfies (keyof Visits)[];
type Role = "room host" | "agent" | "broker" | "store";
type Cpu = Record<Role, number>;
const NOTHING: Cpu = { "room host": 0, agent: 0, broker: 0, store: 0 };

/** What serves rooms: where, and what its processes have used so far. */
interface Server {
  url: string;
  cpuMs: () => Promise<Cpu>;
  pids: () => number[];
}

interface Deployment {
  name: string;
  sdk: PlayersTask["sdk"];
  start: (owned: DisposalStack) => Promise<Server>;
}

const BARE: Deployment = { name: "bare Colyseus", sdk: "stock", start: startBare };
const HERE: readonly Deployment[] = [
  { name: "here, stock SDK", sdk: "stock", start: startHere },
  { name: "here, our SDK", sdk: "ours", start: startHere },
];

interface Run extends PlayersReport {
  cpuMs: Cpu;
  /** Of that, what was used after everybody had joined. */
  playCpuMs: Cpu;
}

/** Of the first players after the start, and of as many after them. */
interface Visits {
  first: Run;
  next: Run;
}

export async function peer({ players = DEFAULT_PLAYERS, runs = 1, seconds }: BenchOptions): Promise<Row[]> {
  if (cpus().length < 2) throw new Error("needs two cores: one for servers, one for players");
  const playMs = (seconds ?? DEFAULT_PLAY_S) * 1_000;
  const rows: Row[] = [];
  for (const count of players) {
    const bare: Visits[] = [];
    const here = HERE.map((): Visits[] => []);
    for (let run = 0; run < runs; run++) {
      bare.push(await measure(BARE, count, playMs));
      for (const [at, deployment] of HERE.entries()) here[at]?.push(await measure(deployment, count, playMs));
    }
    for (const visit of VISITS) {
      const of = (all: readonly Visits[]): Run[] => all.map((visits) => visits[visit]);
      rows.push(...absolute(`${visit} ${count} players, ${BARE.name}`, of(bare)));
      for (const [at, { name, sdk }] of HERE.entries()) {
        const group = `${visit} ${count} players, ${name}`;
        const measured = of(here[at] ?? []);
        rows.push(...absolute(group, measured), ...relative(group, measured, of(bare), sdk === "ours"));
      }
    }
  }
  return rows;
}

async function measure(deployment: Deployment, players: number, playMs: number): Promise<Visits> {
  await using owned = new DisposalStack();
  const server = await deployment.start(owned);
  await sleep(SETTLE_MS);
  const first = await visit(server, deployment, players, playMs);
  await sleep(SETTLE_MS);
  const next = await visit(server, deployment, players, playMs, profile);
  return { first, next };
}

async function visit(
  server: Server,
  { name, sdk }: Deployment,
  players: number,
  playMs: number,
  profiled: (server: Server) => Promise<void> = async () => undefined,
): Promise<Run> {
  await using owned = new DisposalStack();
  const task: PlayersTask = { url: server.url, sdk, players, joinsPerSecond: JOINS_PER_SECOND, playMs };
  const child = pinned(1, [
    "--import",
    "tsx",
    join(import.meta.dirname, "peer-players.ts"),
    JSON.stringify(task),
  ]);
  owned.defer(() => endChild(child, STOP_TIMEOUT_MS));
  await said(child, "first");
  await sleep(1_000);
  await profiled(server);
  const before = await server.cpuMs();
  child.send({});
  await said(child, "joined");
  const joined = await server.cpuMs();
  const done = said(child, "done");
  // That the players have ended is seen below.
  done.catch(() => undefined);
  await profiled(server);
  await profiled(server);
  const { report } = await done;
  const after = await server.cpuMs();
  await profiled(server);
  const cpuMs = difference(after, before);
  const playCpuMs = difference(after, joined);
  console.error(
    name,
    players,
    { ...report, joinMs: quantileOf(report.joinMs, 0.5), rttMs: report.rttMs.length },
    cpuMs,
    playCpuMs,
  );
  return { ...report, cpuMs, playCpuMs };
}

const difference = (later: Cpu, earlier: Cpu): Cpu => ({
  "room host": later["room host"] - earlier["room host"],
  agent: later.agent - earlier.agent,
  broker: later.broker - earlier.broker,
  store: later.store - earlier.store,
});

/** The next message of that type; whatever else the players say before is passed over. */
async function said<T extends FromPlayers["type"]>(
  child: ChildProcess,
  type: T,
): Promise<Extract<FromPlayers, { type: T }>> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the players' process ended with code ${String(code)}`);
  });
  ended.catch(() => undefined);
  for (;;) {
    const [message] = (await Promise.race([once(child, "message"), ended])) as [FromPlayers];
    if (message.type === type) return message as Extract<FromPlayers, { type: T }>;
  }
}

function pinned(core: 0 | 1, args: readonly string[]): ChildProcess {
  return spawn("taskset", ["-c", String(core), process.execPath, ...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
    env: { ...process.env, ...(core === 0 && PROFILED) },
  });
}

/** Begins a profile of each process, then writes it. */
async function profile(server: Server): Promise<void> {
  if (!("NODE_OPTIONS" in PROFILED)) return;
  for (const pid of server.pids()) process.kill(pid, "SIGUSR2");
  await sleep(PROFILE_WRITTEN_MS);
}

async function startBare(owned: DisposalStack): Promise<Server> {
  const start = (program: string, args: readonly string[]): ChildProcess => pinned(0, [program, ...args]);
  const { url, pid } = await startBareColyseus(ROOMS, owned, start);
  const cpuMs = async (): Promise<Cpu> => ({ ...NOTHING, "room host": cpuMsOf(pid) });
  return { url, cpuMs, pids: () => [pid] };
}

/** Broker and agent as they run on two machines: stock players reach the room host without a gateway between. */
async function startHere(owned: DisposalStack): Promise<Server> {
  const cli = owned.use(await Cli.create());
  const env = { CENTROID_AGENT_TOKEN: "bench-agent-token-0123", ...PROFILED };
  const within = ["taskset", "-c", "0"];
  const up = cli.start(["up", "--hosts", "0", "--port", "0", "--no-limits"], env, within);
  const [, url = ""] = await up.says(/(http:\S+)/);
  const place = ["--host-id", "a", "--lat", "50", "--lon", "8"];
  const agent = cli.start(["agent", "--broker", url, ...place, "--rooms", ROOMS, "--json"], env, within);
  await agent.says(/"started"/);
  const cpuMs = async (): Promise<Cpu> => {
    const used = { ...NOTHING };
    for (const pid of pids()) used[await roleOf(pid, up.child.pid)] += cpuMsOf(pid);
    return used;
  };
  const pids = (): number[] => [up, agent].flatMap(({ child }) => descendants(child.pid ?? 0));
  return { url, cpuMs, pids };
}

async function roleOf(pid: number, brokerPid: number | undefined): Promise<Role> {
  if (pid === brokerPid) return "broker";
  const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8");
  if (commandLine.includes("store-main")) return "store";
  return commandLine.includes("room-host") ? "room host" : "agent";
}

function absolute(group: string, runs: readonly Run[]): Row[] {
  const over = (figure: string, unit: string, of: (run: Run) => number): Row =>
    rowOf(group, figure, unit, runs.map(of));
  return [
    over("first join after the start", "ms", ({ firstJoinMs }) => firstJoinMs),
    over("join p50", "ms", ({ joinMs }) => quantileOf(joinMs, 0.5)),
    over("join p95", "ms", ({ joinMs }) => quantileOf(joinMs, 0.95)),
    over("round trip p95", "ms", ({ rttMs }) => quantileOf(rttMs, 0.95)),
    over("CPU of room host", "ms", ({ cpuMs }) => cpuMs["room host"]),
    over("CPU of agent", "ms", ({ cpuMs }) => cpuMs.agent),
    over("CPU of broker", "ms", ({ cpuMs }) => cpuMs.broker),
    over("CPU of the broker's store", "ms", ({ cpuMs }) => cpuMs.store),
    over("CPU of room host while all play", "ms", ({ playCpuMs }) => playCpuMs["room host"]),
    over("CPU of agent while all play", "ms", ({ playCpuMs }) => playCpuMs.agent),
    over("CPU of broker while all play", "ms", ({ playCpuMs }) => playCpuMs.broker),
    over("CPU of the broker's store while all play", "ms", ({ playCpuMs }) => playCpuMs.store),
    over("failed joins, lost moves", "", ({ failedJoins, lostMoves }) => failedJoins + lostMoves),
    over("load average of the machine", "", () => loadavg()[0] ?? Number.NaN),
  ];
}

/** Each run against the bare one before it. */
function relative(group: string, runs: readonly Run[], bare: readonly Run[], hasAims: boolean): Row[] {
  const ratio = (figure: string, of: (run: Run) => number, max: number): Row => ({
    ...rowOf(
      group,
      `${figure}, relative to bare Colyseus`,
      "x",
      runs.map((run, at) => of(run) / of(bare[at] ?? run)),
    ),
    ...(hasAims && { aim: { max } }),
  });
  const beside = (cpu: Cpu): number => cpu.agent + cpu.broker + cpu.store;
  const total = (cpu: Cpu): number => cpu["room host"] + beside(cpu);
  const share = (figure: string, of: (run: Run) => Cpu): Row => ({
    ...rowOf(
      group,
      figure,
      "%",
      runs.map((run) => (100 * beside(of(run))) / of(run)["room host"]),
    ),
    ...(hasAims && { aim: { max: 10 } }),
  });
  return [
    ratio("join p50", ({ joinMs }) => quantileOf(joinMs, 0.5), 1.5),
    ratio("join p95", ({ joinMs }) => quantileOf(joinMs, 0.95), 2),
    ratio("CPU of all processes", ({ cpuMs }) => total(cpuMs), 1.15),
    ratio("CPU of all processes while all play", ({ playCpuMs }) => total(playCpuMs), 1.15),
    share("CPU of broker, store and agent, share of the room host's", ({ cpuMs }) => cpuMs),
    share(
      "CPU of broker, store and agent while all play, share of the room host's",
      ({ playCpuMs }) => playCpuMs,
    ),
  ];
}
