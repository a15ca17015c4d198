/** What a room and a player cost: in the broker, and on a host beside bare Colyseus with the same rooms. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundleRooms } from "@centroid/room-host/bundling";
import { Client } from "@colyseus/sdk";
import { freePort } from "../support/free-port.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import { load } from "./load.js";
import { LoneBroker } from "./lone-broker.js";
import type { Row } from "./row.js";

const BROKER_ROOMS = 2_000;
const BROKER_PLAYERS = 8_000;
const HOST_ROOMS = 100;
const HOST_PLAYERS = 1_000;
const KIB = 1024;
const PLAIN_ROOMS = join(import.meta.dirname, "../fixtures/plain-rooms");

export async function memory(): Promise<Row[]> {
  return [...(await inBroker()), ...(await onHost())];
}

/** Rooms with one player each, then more players in them, with all garbage collected. */
async function inBroker(): Promise<Row[]> {
  await using lone = await LoneBroker.start();
  const roomIds: string[] = [];
  // Seats are watched for 20 s, and decisions go out of their logs.
  const used = (): Promise<number> => lone.usedBytes(1_000);
  await load(100, async () => {
    roomIds.push(await lone.join("create/plain"));
    return 0;
  });
  const before = await used();
  await load(BROKER_ROOMS, async () => {
    roomIds.push(await lone.join("create/plain"));
    return 0;
  });
  const withRooms = await used();
  await load(BROKER_PLAYERS, async (at) => {
    await lone.join(`joinById/${roomIds[at % roomIds.length]}`);
    return 0;
  });
  const perPlayer = ((await used()) - withRooms) / BROKER_PLAYERS;
  const group = `broker, ${BROKER_ROOMS + 100} rooms, ${BROKER_PLAYERS + BROKER_ROOMS} players, heap`;
  return [
    {
      group,
      figure: "per room",
      value: ((withRooms - before) / BROKER_ROOMS - perPlayer) / KIB,
      unit: "KB",
      aim: { max: 20 },
    },
    { group, figure: "per player", value: perPlayer / KIB, unit: "KB", aim: { max: 10 } },
  ];
}

/** Resident memory of the process that has the rooms, before and after; freed pages make single rooms unmeasurable. */
async function onHost(): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  const { path } = await bundleRooms(PLAIN_ROOMS, folder);
  const port = await freePort();
  const bare = fork(join(import.meta.dirname, "bare-colyseus.mjs"), [path, String(port)], {
    execArgv: [],
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  try {
    await once(bare, "message");
    await using pair = await PairOfHosts.start(PLAIN_ROOMS);
    // The first one starts the process.
    await pair.create("plain");
    const ours = await growth(
      () => pair.carriers.a.pid,
      () => pair.create("plain"),
      (roomId) => pair.client().joinById(roomId),
    );
    const url = `http://127.0.0.1:${port}`;
    const theirs = await growth(
      () => bare.pid,
      async () => {
        const made = await fetch(`${url}/matchmake/create/plain`, { method: "POST", body: "{}" });
        return ((await made.json()) as { roomId: string }).roomId;
      },
      (roomId) => new Client(url).joinById(roomId),
    );
    const group = `room host, ${HOST_ROOMS} rooms, ${HOST_PLAYERS} players, resident`;
    return [
      { group, figure: "per player and its part of a room", value: ours / KIB, unit: "KB" },
      { group, figure: "the same on bare Colyseus", value: theirs / KIB, unit: "KB" },
    ];
  } finally {
    bare.kill("SIGKILL");
    await rm(folder, { recursive: true, force: true });
  }
}

async function growth(
  pid: () => number | undefined,
  create: () => Promise<string>,
  sit: (roomId: string) => Promise<unknown>,
): Promise<number> {
  const before = await residentBytes(pid());
  const roomIds: string[] = [];
  for (let at = 0; at < HOST_ROOMS; at++) roomIds.push(await create());
  for (let at = 0; at < HOST_PLAYERS; at += 20)
    await Promise.all(
      Array.from({ length: 20 }, (_, more) => sit(roomIds[(at + more) % HOST_ROOMS] as string)),
    );
  return ((await residentBytes(pid())) - before) / HOST_PLAYERS;
}

async function residentBytes(pid: number | undefined): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  const status = await readFile(`/proc/${pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? Number.NaN) * KIB;
}
