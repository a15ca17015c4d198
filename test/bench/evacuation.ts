/** All rooms of one host go to three others by a deadline, while they are played. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quantileOf } from "@centroid/placement";
import type { Host } from "@centroid/protocol";
import { DisposalStack, endChild } from "@centroid/protocol/node";
import { Cli, type RunningCli } from "../support/run-cli.js";
import type { EvacuationTask, FromEvacuationPlayers } from "./evacuation-players.js";
import type { BenchOptions } from "./groups.js";
import { type Row, rowOf } from "./row.js";

const ROOMS = path("../fixtures/peer-rooms");
const DEFAULT_PLAYERS = [200];
const MOST_ROOMS = 100;
const DEADLINE_S = 30;
/** Whatever is not away by then counts as not moved. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 100;
const TOKEN = "bench-agent-token-0123";
const ADMIN_TOKEN = "bench-admin-token-0123";

interface Run {
  rooms: number;
  tookS: number;
  left: number;
  lost: number;
  restored: number;
  gapMs: number[];
}

export async function evacuation({ players = DEFAULT_PLAYERS, runs = 1 }: BenchOptions): Promise<Row[]> {
  const rows: Row[] = [];
  for (const count of players) {
    const measured: Run[] = [];
    for (let run = 0; run < runs; run++) measured.push(await measure(count));
    const rooms = roomsFor(count);
    const group = `${rooms} rooms, ${count} players, deadline ${DEADLINE_S} s, broker and hosts on one machine`;
    const over = (figure: string, unit: string, of: (run: Run) => number): Row =>
      rowOf(group, figure, unit, measured.map(of));
    rows.push(
      { ...over("until the host was empty", "s", ({ tookS }) => tookS), aim: { max: DEADLINE_S } },
      { ...over("rooms moved", "/s", ({ rooms, left, tookS }) => (rooms - left) / tookS), aim: { min: 20 } },
      over("rooms still there after that", "", ({ left }) => left),
      { ...over("moves of players that were lost", "", ({ lost }) => lost), aim: { max: 0 } },
      over("sessions that were restored and not moved", "", ({ restored }) => restored),
      over("silence that a player had p50", "ms", ({ gapMs }) => quantileOf(gapMs, 0.5)),
      over("silence that a player had p99", "ms", ({ gapMs }) => quantileOf(gapMs, 0.99)),
      over("load average of the machine", "", () => loadavg()[0] ?? Number.NaN),
    );
  }
  return rows;
}

const roomsFor = (players: number): number => Math.min(MOST_ROOMS, Math.ceil(players / 2));

async function measure(players: number): Promise<Run> {
  await using owned = new DisposalStack();
  const cli = owned.use(await Cli.create());
  const env = { CENTROID_AGENT_TOKEN: TOKEN, CENTROID_TOKEN: ADMIN_TOKEN };
  const up = cli.start(["up", "--hosts", "0", "--port", "0", "--no-limits"], env);
  const [, url = ""] = await up.says(/(http:\S+)/);
  await startHost(cli, url, env, "leaving");
  const task: EvacuationTask = { url, rooms: roomsFor(players), players };
  const child = fork(path("evacuation-players.ts"), [JSON.stringify(task)], {
    execArgv: ["--import", "tsx"],
  });
  owned.defer(() => endChild(child, 5_000));
  await said(child, "joined");
  for (const hostId of ["x", "y", "z"]) await startHost(cli, url, env, hostId);
  // Rooms are where they stay, and their processes have loaded.
  await sleep(5_000);
  const before = await roomsAt(url, "leaving");
  const beganAtMs = performance.now();
  const drained = await fetch(`${url}/api/v1/hosts/leaving/drain?withinMs=${DEADLINE_S * 1_000}`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  if (!drained.ok) throw new Error(await drained.text());
  let left = before;
  while (left > 0 && performance.now() - beganAtMs < PATIENCE_MS) {
    await sleep(LOOK_MS);
    left = await roomsAt(url, "leaving");
    console.error(((performance.now() - beganAtMs) / 1_000).toFixed(1), left);
  }
  const tookS = (performance.now() - beganAtMs) / 1_000;
  child.send({});
  const { lost, gapMs, restored } = await said(child, "done");
  console.error({ players, before, tookS, left, lost, restored });
  return { rooms: before, tookS, left, lost, restored, gapMs };
}

async function startHost(
  cli: Cli,
  url: string,
  env: Record<string, string>,
  hostId: string,
): Promise<RunningCli> {
  const place = ["--lat", "50", "--lon", "8", "--rooms", ROOMS];
  const agent = cli.start(["agent", "--broker", url, "--host-id", hostId, ...place], env);
  await agent.says(/has joined/);
  return agent;
}

async function roomsAt(url: string, hostId: string): Promise<number> {
  const response = await fetch(`${url}/api/v1/hosts`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
  });
  const hosts = (await response.json()) as Host[];
  return hosts.find((host) => host.hostId === hostId)?.rooms ?? 0;
}

/** The next message, which is of that type. */
async function said<T extends FromEvacuationPlayers["type"]>(
  child: ChildProcess,
  type: T,
): Promise<Extract<FromEvacuationPlayers, { type: T }>> {
  const ended = once(child, "exit").then(([code]) => {
    throw new Error(`the players' process ended with code ${String(code)}`);
  });
  ended.catch(() => undefined);
  const [message] = (await Promise.race([once(child, "message"), ended])) as [FromEvacuationPlayers];
  if (message.type !== type) throw new Error(`expected ${type}, got ${message.type}`);
  return message as Extract<FromEvacuationPlayers, { type: T }>;
}

function path(file: string): string {
  return join(import.meta.dirname, file);
}
