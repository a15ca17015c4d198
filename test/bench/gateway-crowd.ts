/** Thousands of players at one gateway that has a single core: sockets that are only open, and such as play. */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { DisposalStack, endChild } from "@centroid/protocol/node";
import { cpuMsOf } from "../support/processes.js";
import type { CrowdAnswer, CrowdOrder } from "./gateway-crowd-players.js";
import { residentKib, startGatewaySystem } from "./gateway-system.js";
import type { BenchOptions } from "./groups.js";
import type { Row } from "./row.js";

const PLAYERS_PROGRAM = join(import.meta.dirname, "gateway-crowd-players.ts");
const CORE = 0;
const GROUP = "gateway with a single core";
/** They pay for what the program itself needs. */
const FIRST = 500;
const IDLE = 10_000;
/** Each is pinged at least once. */
const IDLE_MS = 40_000;
const PLAYING = 2_000;
const PER_SECOND = 5;
const SECONDS = 20;
const WARM_MS = 5_000;
const END_MS = 5_000;

/** `--players 10000,2000`: sockets that are only open, and such as play; `--seconds`: how long these do. */
export async function gatewayCrowd({ players = [], seconds = SECONDS }: BenchOptions): Promise<Row[]> {
  const [idle = IDLE, playing = PLAYING] = players;
  return [...(await open(idle)), ...(await play(playing, seconds * 1_000))];
}

async function open(count: number): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { gatewayUrl, gatewayPid } = await startGatewaySystem("rally-rooms", owned, CORE);
  const crowd = startCrowd(gatewayUrl, "lounge", owned);
  const first = await ask(crowd, { type: "join", count: FIRST }, "joined");
  const beforeKib = await residentKib(gatewayPid);
  const rest = await ask(crowd, { type: "join", count: count - FIRST }, "joined");
  const kib = (await residentKib(gatewayPid)) - beforeKib;
  const share = await shareOfCore(gatewayPid, () => sleep(IDLE_MS));
  return [
    { group: GROUP, figure: "sockets that are only open", value: rest.open, unit: "", aim: { min: count } },
    {
      ...{ group: GROUP, figure: "joins that failed", unit: "", aim: { max: 0 } },
      value: first.failed + rest.failed,
    },
    {
      ...{ group: GROUP, figure: "resident memory of each", unit: "KiB", aim: { max: 10 } },
      value: kib / (rest.open - first.open),
    },
    { group: GROUP, figure: "its core's share for them", value: share, unit: "%" },
  ];
}

async function play(count: number, playMs: number): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { gatewayUrl, gatewayPid } = await startGatewaySystem("rally-rooms", owned, CORE);
  const crowd = startCrowd(gatewayUrl, "rally", owned);
  const { failed } = await ask(crowd, { type: "join", count }, "joined");
  const order = { type: "play", perSecond: PER_SECOND } as const;
  await ask(crowd, { ...order, playMs: WARM_MS }, "played");
  const startedAtMs = performance.now();
  const beforeMs = cpuMsOf(gatewayPid);
  const { sent, frames, wrong, closed } = await ask(crowd, { ...order, playMs }, "played");
  const cpuMs = cpuMsOf(gatewayPid) - beforeMs;
  const tookMs = performance.now() - startedAtMs;
  const figure = (name: string, value: number, unit: string): Row => ({
    ...{ group: GROUP, figure: name, value, unit },
  });
  return [
    { ...figure("players who play", count - failed - closed, ""), aim: { min: count } },
    figure("frames a second from them", (sent * 1_000) / tookMs, ""),
    figure("frames a second to them", (frames * 1_000) / tookMs, ""),
    figure("its core's share for those who play", (100 * cpuMs) / tookMs, "%"),
    figure("CPU per frame", (cpuMs * 1e3) / (sent + frames), "µs"),
    { ...figure("frames lost, doubled or out of order", wrong, ""), aim: { max: 0 } },
  ];
}

async function shareOfCore(pid: number, during: () => Promise<unknown>): Promise<number> {
  const [startedAtMs, beforeMs] = [performance.now(), cpuMsOf(pid)];
  await during();
  return (100 * (cpuMsOf(pid) - beforeMs)) / (performance.now() - startedAtMs);
}

function startCrowd(url: string, room: string, owned: DisposalStack): ChildProcess {
  const child = fork(PLAYERS_PROGRAM, [url, room], { execArgv: ["--import", "tsx"] });
  owned.defer(() => endChild(child, END_MS));
  return child;
}

async function ask<T extends CrowdAnswer["type"]>(
  crowd: ChildProcess,
  order: CrowdOrder,
  type: T,
): Promise<Extract<CrowdAnswer, { type: T }>> {
  const ended = once(crowd, "exit").then(() => {
    throw new Error("the players' process has ended");
  });
  crowd.send(order);
  const [answer] = (await Promise.race([once(crowd, "message"), ended])) as [CrowdAnswer];
  if (answer.type !== type) throw new Error(`asked for ${type}, and heard ${answer.type}`);
  return answer as Extract<CrowdAnswer, { type: T }>;
}
