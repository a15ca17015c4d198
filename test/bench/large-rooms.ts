/**
 * One room of 50, 200 and 1,000 players at 20 Hz on bare Colyseus and here, in turns: CPU of a tick with its patch, how late
 * ticks are, and what a move costs. Where everybody is sent the same patch, and where each has a view of its own.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quantileOf } from "@centroid/placement";
import { DisposalStack, endChild } from "@centroid/protocol/node";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import { cpuMsOf } from "../support/processes.js";
import { startBareColyseus } from "./bare-server.js";
import type { CrowdQuestion, CrowdTask, FromCrowd } from "./crowd-players.js";
import type { BenchOptions } from "./groups.js";
import { type Row, rowOf } from "./row.js";

const ROOMS = join(import.meta.dirname, "../fixtures/crowd-rooms");
const DEFAULT_PLAYERS = [50, 200, 1_000];
const KINDS = [
  { type: "crowd", name: "one patch for all" },
  { type: "hidden-crowd", name: "a view for each" },
] as const;
const DEFAULT_RUNS = 5;
const DEFAULT_SLICE_S = 4;
const MOVES = 6;
/** Before a slice: what joins and moves leave behind is done by then. */
const SETTLE_MS = 2_000;
const STOP_TIMEOUT_MS = 10_000;
const TICK_MS = 50;
/** As agents have them by default. */
const CHECKPOINT_MS = 1_000;
const COMPARE_MS = 10_000;
const FRAMES_PER_S = 200;
const BYTES_PER_S = 1_000_000;

/** A room on a server, and its players in a process of their own. */
class Crowd implements AsyncDisposable {
  readonly #players: ChildProcess;

  constructor(task: CrowdTask) {
    this.#players = fork(join(import.meta.dirname, "crowd-players.ts"), [JSON.stringify(task)], {
      execArgv: ["--import", "tsx"],
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
  }

  async joined(): Promise<string> {
    return (await this.#said("joined")).roomId;
  }

  async ask<Q extends CrowdQuestion>(question: Q): Promise<Extract<FromCrowd, { type: Q }>> {
    this.#players.send(question);
    return this.#said(question);
  }

  async #said<T extends FromCrowd["type"]>(type: T): Promise<Extract<FromCrowd, { type: T }>> {
    const ended = once(this.#players, "exit").then(([code]) => {
      throw new Error(`the players' process ended with code ${String(code)}`);
    });
    ended.catch(() => undefined);
    const [message] = (await Promise.race([once(this.#players, "message"), ended])) as [FromCrowd];
    if (message.type !== type) throw new Error(`${message.type} where ${type} was asked`);
    return message as Extract<FromCrowd, { type: T }>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await endChild(this.#players, STOP_TIMEOUT_MS);
  }
}

interface Slice {
  cpuMsPerTick: number;
  lateP99Ms: number;
  /** Patches that the first player has got for each tick. */
  patchesPerTick: number;
}

export async function largeRooms({
  players = DEFAULT_PLAYERS,
  runs = DEFAULT_RUNS,
  seconds = DEFAULT_SLICE_S,
}: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of players)
    for (const { type, name } of KINDS)
      rows.push(...(await measure(type, `${count} players, ${name}`, count, runs, seconds * 1_000)));
  return rows;
}

async function measure(
  type: string,
  group: string,
  players: number,
  runs: number,
  sliceMs: number,
): Promise<Row[]> {
  await using owned = new DisposalStack();
  const bare = await startBareColyseus(ROOMS, owned);
  const pair = owned.use(
    await PairOfHosts.start(ROOMS, FRAMES_PER_S, BYTES_PER_S, CHECKPOINT_MS, COMPARE_MS),
  );
  const theirs = owned.use(new Crowd({ url: bare.url, sdk: "stock", type, players }));
  await theirs.joined();
  const ours = owned.use(new Crowd({ url: pair.url, sdk: "ours", type, players }));
  const roomId = await ours.joined();
  const [bareSlices, ourSlices]: [Slice[], Slice[]] = [[], []];
  for (let run = 0; run < runs; run++) {
    bareSlices.push(await slice(theirs, bare.pid, sliceMs));
    ourSlices.push(await slice(ours, pair.carriers.a.pid, sliceMs));
  }
  await theirs[Symbol.asyncDispose]();
  const freezes: number[] = [];
  const totals: number[] = [];
  let bytes = 0;
  let wrong = 0;
  for (let move = 0; move < MOVES; move++) {
    await sleep(SETTLE_MS);
    const startedMs = performance.now();
    const transfer = await pair.move(roomId);
    totals.push(performance.now() - startedMs);
    bytes += transfer.bytes;
    const moved = await ours.ask("moved");
    freezes.push(...moved.freezesMs);
    wrong += moved.wrong;
  }
  const of = (figure: string, unit: string, value: (slice: Slice) => number): Row[] => [
    rowOf(group, `${figure}, bare Colyseus`, unit, bareSlices.map(value)),
    rowOf(group, `${figure}, here`, unit, ourSlices.map(value)),
  ];
  const ratios = ourSlices.map((slice, at) => slice.cpuMsPerTick / (bareSlices[at] ?? slice).cpuMsPerTick);
  return [
    ...of("CPU of a tick and its patch", "ms", ({ cpuMsPerTick }) => cpuMsPerTick),
    rowOf(group, "CPU of a tick and its patch, relative to bare Colyseus", "x", ratios),
    ...of("tick late, p99", "ms", ({ lateP99Ms }) => lateP99Ms),
    ...of("patches per tick", "", ({ patchesPerTick }) => patchesPerTick),
    { group, figure: "move: freeze beyond the tick, p50", value: quantileOf(freezes, 0.5), unit: "ms" },
    { group, figure: "move: freeze beyond the tick, p99", value: quantileOf(freezes, 0.99), unit: "ms" },
    rowOf(group, "move: whole", "ms", totals),
    { group, figure: "move: bytes", value: bytes / MOVES / 1_024, unit: "KiB" },
    { group, figure: "move: messages lost or doubled", value: wrong, unit: "", aim: { max: 0 } },
  ];
}

async function slice(crowd: Crowd, pid: number | undefined, sliceMs: number): Promise<Slice> {
  if (pid === undefined) throw new Error("the server has ended");
  await sleep(SETTLE_MS);
  await crowd.ask("late");
  const beforeMs = cpuMsOf(pid);
  await sleep(sliceMs);
  const usedMs = cpuMsOf(pid) - beforeMs;
  const { lateMs, patches } = await crowd.ask("late");
  const ticks = lateMs.length;
  return {
    cpuMsPerTick: usedMs / (sliceMs / TICK_MS),
    lateP99Ms: quantileOf(lateMs, 0.99),
    patchesPerTick: patches / ticks,
  };
}
