/** What a gateway adds: to a round trip, in CPU beside its room host's, and in memory of a socket that is only open. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import { quantileOf } from "@centroid/placement";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";
import { Client, type Room } from "@colyseus/sdk";
import { RawClient } from "../gateway/raw-client.js";
import { cpuMsOf, descendants, listener } from "../support/processes.js";
import type { Row } from "./row.js";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");
const ECHOES = 3_000;
const ECHO_TURN = 100;
const PLAYERS = 20;
const MESSAGES_PER_PLAYER_PER_S = 100;
const SLICE_MS = 3_000;
const SLICES = 5;
const IDLE_SOCKETS = 2_000;
const IDLE_AT_ONCE = 50;
const KIB = 1024;

export async function gateway(): Promise<Row[]> {
  return [...(await playing()), ...(await idle())];
}

interface System {
  broker: Broker;
  gatewayUrl: string;
  gatewayPid: number;
}

/** A broker here; an agent and a gateway as processes of their own. */
async function start(rooms: string, owned: DisposalStack): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const { path: roomsBundle, roomTypes } = await bundleRooms(join(FIXTURES, rooms), folder);
  const broker = owned.use(await startBroker({ port: 0, autoMove: false, limits: false }));
  owned.use(
    await startAgent({
      ...{ hostId: "a", name: "a", latitude: 0, longitude: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
      ...{ brokerUrls: [broker.url.replace("http", "ws")], token: broker.agentToken, roomsBundle, roomTypes },
    }),
  );
  const child = spawn(process.execPath, [MAIN, "gateway", "--broker", broker.url, "--port", "0", "--json"], {
    env: { ...process.env, CENTROID_GATEWAY_TOKEN: broker.gatewayToken },
    stdio: ["ignore", "pipe", "inherit"],
  });
  owned.defer(() => stop(child));
  for await (const line of createInterface({ input: child.stdout })) {
    const [, gatewayUrl] = /"url": "([^"]+)"/.exec(line) ?? [];
    if (gatewayUrl !== undefined) return { broker, gatewayUrl, gatewayPid: child.pid ?? 0 };
  }
  throw new Error("the gateway has ended");
}

async function playing(): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { broker, gatewayUrl, gatewayPid } = await start("rooms", owned);
  const direct = (await new Client(broker.url).create("ledger")) as Room;
  const joined = (): Promise<Room> => new Client(gatewayUrl).joinById(direct.roomId) as Promise<Room>;
  const players = await Promise.all(Array.from({ length: PLAYERS }, joined));
  for (const room of [direct, ...players]) room.onMessage("shot", () => undefined);
  const where = (await (await fetch(`${broker.url}/centroid/v1/where/${direct.roomId}`)).json()) as {
    publicAddress: string;
  };
  const hostPid = listener(descendants(process.pid), Number(where.publicAddress.split(":")[1]));
  if (hostPid === undefined) throw new Error("room host not found");
  const [through] = players;
  if (through === undefined) throw new Error("no players");
  const rtts = { direct: [] as number[], through: [] as number[] };
  for (let turn = 0; turn < ECHOES / ECHO_TURN; turn++) {
    await echoes(direct, rtts.direct);
    await echoes(through, rtts.through);
  }
  const shares: number[] = [];
  const micros: number[] = [];
  const both: number[] = [];
  for (let slice = 0; slice < SLICES; slice++) {
    const [ofGateway, ofHost] = await cpuPerMessage(players, [gatewayPid, hostPid]);
    micros.push(ofGateway);
    shares.push((100 * ofGateway) / ofHost);
    both.push(ofGateway + ofHost);
  }
  for (const room of players) await room.leave();
  const near = await Promise.all(
    Array.from({ length: PLAYERS }, () => new Client(broker.url).joinById(direct.roomId) as Promise<Room>),
  );
  for (const room of near) room.onMessage("shot", () => undefined);
  const alone: number[] = [];
  for (let slice = 0; slice < SLICES; slice++)
    alone.push((await cpuPerMessage(near, [gatewayPid, hostPid]))[1]);
  for (const room of [direct, ...near]) void room.leave();
  const group = "gateway, on loopback";
  const added = (q: number): number => quantileOf(rtts.through, q) - quantileOf(rtts.direct, q);
  return [
    { group, figure: "added to a round trip, p50", value: added(0.5), unit: "ms", aim: { max: 0.3 } },
    { group, figure: "added to a round trip, p99", value: added(0.99), unit: "ms", aim: { max: 1 } },
    { group, figure: "gateway's CPU per message", value: quantileOf(micros, 0.5), unit: "µs" },
    {
      group,
      figure: "gateway's CPU relative to its room host's",
      value: quantileOf(shares, 0.5),
      unit: "%",
      aim: { max: 15 },
    },
    {
      group,
      figure: "CPU of both per message, relative to the room host's with players of its own",
      value: quantileOf(both, 0.5) / quantileOf(alone, 0.5),
      unit: "x",
    },
  ];
}

async function echoes(room: Room, into: number[]): Promise<void> {
  for (let n = 0; n < ECHO_TURN; n++) {
    const sentAtMs = performance.now();
    await room.request("echo", n);
    into.push(performance.now() - sentAtMs);
  }
}

/** µs of CPU of each process per message while every player sends at a steady rate. */
async function cpuPerMessage(rooms: readonly Room[], pids: [number, number]): Promise<[number, number]> {
  const beforeMs = [cpuMsOf(pids[0]), cpuMsOf(pids[1])] as const;
  let sent = 0;
  const start = performance.now();
  while (performance.now() - start < SLICE_MS) {
    for (const room of rooms) room.send("say", ++sent);
    const due = start + ((sent / rooms.length) * 1000) / MESSAGES_PER_PLAYER_PER_S;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, due - performance.now())));
  }
  await rooms[0]?.request("echo", 1);
  const micros = (at: 0 | 1): number => ((cpuMsOf(pids[at]) - beforeMs[at]) / sent) * 1e3;
  return [micros(0), micros(1)];
}

async function idle(): Promise<Row[]> {
  await using owned = new DisposalStack();
  const { gatewayUrl, gatewayPid } = await start("plain-rooms", owned);
  const clients: RawClient[] = [];
  const open = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at += IDLE_AT_ONCE)
      clients.push(
        ...(await Promise.all(
          Array.from({ length: IDLE_AT_ONCE }, () => RawClient.join(gatewayUrl, "plain")),
        )),
      );
  };
  // The first ones pay for what the program itself needs.
  await open(IDLE_SOCKETS / 4);
  const before = await residentBytes(gatewayPid);
  await open(IDLE_SOCKETS);
  const after = await residentBytes(gatewayPid);
  for (const client of clients) client.leave();
  return [
    {
      group: "gateway, on loopback",
      figure: "resident memory of an idle socket",
      value: (after - before) / IDLE_SOCKETS / KIB,
      unit: "KiB",
      aim: { max: 10 },
    },
  ];
}

async function residentBytes(pid: number): Promise<number> {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * KIB;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
