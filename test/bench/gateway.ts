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
import { descendants, listener } from "../support/processes.js";
import { cpuPerMessage } from "./cpu-per-message.js";
import type { Row } from "./row.js";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");
const ECHOES = 3_000;
const ECHO_TURN = 100;
const HOSTS = ["a", "b"] as const;
const PLAYERS = 20;
/** Not counted: the programs are compiled as they run. */
const WARM_SLICES = 3;
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

/** A broker here; two hosts and a gateway as processes of their own. */
async function start(rooms: string, owned: DisposalStack): Promise<System> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const { path: roomsBundle, roomTypes } = await bundleRooms(join(FIXTURES, rooms), folder);
  const broker = owned.use(await startBroker({ port: 0, autoMove: false, limits: false }));
  for (const hostId of HOSTS)
    owned.use(
      await startAgent({
        ...{ hostId, name: hostId, latitude: 0, longitude: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
        ...{
          brokerUrls: [broker.url.replace("http", "ws")],
          token: broker.agentToken,
          roomsBundle,
          roomTypes,
        },
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
  const behind = await roomAt(broker, "a");
  const alone = await roomAt(broker, "b");
  const through = await joined(gatewayUrl, behind.roomId);
  const direct = await joined(broker.url, alone.roomId);
  const rtts = { direct: [] as number[], through: [] as number[] };
  for (let turn = 0; turn < ECHOES / ECHO_TURN; turn++) {
    await echoes(direct[0], rtts.direct);
    await echoes(through[0], rtts.through);
  }
  const micros: { gateway: number; behind: number; alone: number }[] = [];
  for (let slice = -WARM_SLICES; slice < SLICES; slice++) {
    const [ofGateway = 0, ofBehind = 0] = await cpuPerMessage(through, [gatewayPid, behind.pid]);
    const [ofAlone = 0] = await cpuPerMessage(direct, [alone.pid]);
    if (slice >= 0) micros.push({ gateway: ofGateway, behind: ofBehind, alone: ofAlone });
  }
  for (const room of [...through, ...direct]) void room.leave();
  const median = (of: (slice: (typeof micros)[number]) => number): number => quantileOf(micros.map(of), 0.5);
  const group = "gateway, on loopback";
  const added = (q: number): number => quantileOf(rtts.through, q) - quantileOf(rtts.direct, q);
  return [
    { group, figure: "added to a round trip, p50", value: added(0.5), unit: "ms", aim: { max: 0.3 } },
    { group, figure: "added to a round trip, p99", value: added(0.99), unit: "ms", aim: { max: 1 } },
    { group, figure: "gateway's CPU per message", value: median(({ gateway }) => gateway), unit: "µs" },
    {
      group,
      figure: "room host's CPU per message, players by the gateway",
      value: median(({ behind }) => behind),
      unit: "µs",
    },
    {
      group,
      figure: "room host's CPU per message, players of its own",
      value: median(({ alone }) => alone),
      unit: "µs",
    },
    {
      group,
      figure: "gateway's CPU relative to its room host's",
      value: median(({ gateway, behind }) => (100 * gateway) / behind),
      unit: "%",
      aim: { max: 15 },
    },
    {
      group,
      figure: "CPU of both per message, relative to the room host's with players of its own",
      value: median(({ gateway, behind, alone }) => (gateway + behind) / alone),
      unit: "x",
    },
  ];
}

/** A room on that host, and the process it runs in. */
async function roomAt(
  broker: Broker,
  hostId: (typeof HOSTS)[number],
): Promise<{ roomId: string; pid: number }> {
  const { roomId } = await new Client(broker.url).create("ledger", { seatSeconds: 60 });
  await fetch(`${broker.url}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${broker.adminToken}` },
    body: JSON.stringify({ hostId }),
  });
  const where = (await (await fetch(`${broker.url}/centroid/v1/where/${roomId}`)).json()) as {
    host: { hostId: string };
    publicAddress: string;
  };
  const pid = listener(descendants(process.pid), Number(where.publicAddress.split(":")[1]));
  if (where.host.hostId !== hostId || pid === undefined) throw new Error(`no room at ${hostId}`);
  return { roomId, pid };
}

type Players = [Room, ...Room[]];

async function joined(url: string, roomId: string): Promise<Players> {
  const join = async (): Promise<Room> => {
    const room = (await new Client(url).joinById(roomId)) as Room;
    room.onMessage("shot", () => undefined);
    return room;
  };
  const more = Array.from({ length: PLAYERS - 1 }, join);
  return [await join(), ...(await Promise.all(more))];
}

async function echoes(room: Room, into: number[]): Promise<void> {
  for (let n = 0; n < ECHO_TURN; n++) {
    const sentAtMs = performance.now();
    await room.request("echo", n);
    into.push(performance.now() - sentAtMs);
  }
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
