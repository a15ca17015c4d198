/**
 * Recognition at the edge: what a picture takes against the model's own time, eight cameras at one host and how late its
 * rooms tick then, and a stream through moves.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { TEST_PICTURE } from "@centroid/bots";
import { startDistanceEmulator } from "@centroid/emulation";
import { quantileOf } from "@centroid/placement";
import type { CentroidRoom } from "@centroid/sdk";
import { PairOfHosts } from "../support/pair-of-hosts.js";
import type { Row } from "./row.js";

const PICTURES_PER_SECOND = 10;
const INTERVAL_MS = 1_000 / PICTURES_PER_SECOND;
/** A host this far away, there and back. */
const RTT_MS = 10;
const STEADY_S = 15;
const CAMERAS = 8;
const TICK_MS = 50;
const MOVES = 100;
const PATCH_PATIENCE_MS = 10_000;

interface Answer {
  queueMs: number;
  workMs: number;
}
interface Seen extends Answer {
  tookMs: number;
  atMs: number;
}

/** One picture after the other; the next one waits for the answer. */
async function look(room: CentroidRoom, seen: Seen[], stop: AbortSignal): Promise<number> {
  let failed = 0;
  for (let n = 1; !stop.aborted; n++) {
    const sentAtMs = performance.now();
    try {
      const { queueMs, workMs } = await room.request<unknown, Answer>(
        "see" as never,
        { n, nonce: n, jpeg: TEST_PICTURE } as never,
      );
      const atMs = performance.now();
      seen.push({ queueMs, workMs, atMs, tookMs: atMs - sentAtMs });
    } catch {
      failed++;
    }
    await sleep(Math.max(0, INTERVAL_MS - (performance.now() - sentAtMs)));
  }
  return failed;
}

export async function vision(): Promise<Row[]> {
  await using emulator = await startDistanceEmulator({
    rttMs: { here: { here: RTT_MS } },
    hosts: ["a", "b"].map((hostId) => ({ hostId, siteId: "here" })),
  });
  await emulator.setSite("bench", "here");
  await using pair = await PairOfHosts.start(join(import.meta.dirname, "../fixtures/camera-rooms"));
  pair.via = (address, hostId) => emulator.translate(address, hostId, "bench");
  return [...(await oneCamera(pair)), ...(await eightCameras(pair)), ...(await moves(pair))];
}

async function enter(pair: PairOfHosts, type: string): Promise<CentroidRoom> {
  const room = (await pair.client().joinById(await pair.create(type))) as CentroidRoom;
  room.onMessage("*", () => undefined);
  return room;
}

/** Streams for so long, the first two seconds left out. */
async function stream(
  rooms: readonly CentroidRoom[],
  seconds: number,
): Promise<{ seen: Seen[]; failed: number }> {
  const stop = new AbortController();
  const books = rooms.map(() => [] as Seen[]);
  const running = rooms.map((room, i) => look(room, books[i]!, stop.signal));
  await sleep(2_000);
  for (const book of books) book.length = 0;
  await sleep(seconds * 1_000);
  stop.abort();
  const failed = await Promise.all(running);
  return { seen: books.flat(), failed: failed.reduce((sum, one) => sum + one, 0) };
}

async function oneCamera(pair: PairOfHosts): Promise<Row[]> {
  const room = await enter(pair, "vision");
  const { seen } = await stream([room], STEADY_S);
  await room.leave();
  const group = `vision, one camera, ${PICTURES_PER_SECOND}/s, host ${RTT_MS / 2} ms away`;
  const own = seen.map(({ workMs }) => workMs);
  // What is left when the network is taken away, in times of the model's median.
  const beyond = seen.map(({ tookMs }) => (tookMs - RTT_MS) / quantileOf(own, 0.5));
  return [
    { group, figure: "the model's own time p50", value: quantileOf(own, 0.5), unit: "ms" },
    {
      group,
      figure: "from picture to answer p50",
      value: quantileOf(
        seen.map(({ tookMs }) => tookMs),
        0.5,
      ),
      unit: "ms",
    },
    {
      group,
      figure: "without the network, times the model's p50",
      value: quantileOf(beyond, 0.5),
      unit: "x",
      aim: { max: 1.15 },
    },
    { group, figure: "the same at p99", value: quantileOf(beyond, 0.99), unit: "x", aim: { max: 2 } },
  ];
}

async function eightCameras(pair: PairOfHosts): Promise<Row[]> {
  const rooms = await Promise.all(Array.from({ length: CAMERAS }, () => enter(pair, "vision")));
  const metronome = await enter(pair, "metronome");
  const patches: number[] = [];
  metronome.onStateChange(() => patches.push(performance.now()));
  await lateSteps(metronome);
  await sleep(4_000);
  const quiet = { steps: await lateSteps(metronome), updates: lateBetween(patches.splice(0)) };
  const { seen, failed } = await stream(rooms, STEADY_S);
  const busy = { steps: await lateSteps(metronome), updates: lateBetween(patches) };
  await Promise.all([...rooms, metronome].map((room) => room.leave()));
  const group = `vision, ${CAMERAS} cameras at one host`;
  return [
    { group, figure: "pictures answered a second", value: seen.length / STEADY_S, unit: "/s" },
    {
      group,
      figure: "from picture to answer p50",
      value: quantileOf(
        seen.map(({ tookMs }) => tookMs),
        0.5,
      ),
      unit: "ms",
    },
    { group, figure: "failed", value: failed, unit: "", aim: { max: 0 } },
    {
      group,
      figure: "another room's step late p99, idle host",
      value: quantileOf(quiet.steps, 0.99),
      unit: "ms",
    },
    {
      group,
      figure: "another room's step late p99",
      value: quantileOf(busy.steps, 0.99),
      unit: "ms",
      aim: { max: 5 },
    },
    {
      group,
      figure: "its update late at its player p99, idle host",
      value: quantileOf(quiet.updates, 0.99),
      unit: "ms",
    },
    {
      group,
      figure: "its update late at its player p99",
      value: quantileOf(busy.updates, 0.99),
      unit: "ms",
    },
  ];
}

/** How late the room's steps were since it was asked last. */
async function lateSteps(room: CentroidRoom): Promise<number[]> {
  return new Promise((resolve) => {
    room.onMessage("late", resolve);
    room.send("late");
  });
}

/** By how much each update came later after the one before than the room ticks. */
const lateBetween = (atMs: readonly number[]): number[] =>
  atMs.slice(1).map((at, i) => Math.max(0, at - (atMs[i] ?? at) - TICK_MS));

async function moves(pair: PairOfHosts): Promise<Row[]> {
  const roomId = await pair.create("vision");
  const room = (await pair
    .client()
    .joinById<{ players: Map<string, { ledger: { received: number; duplicated: number } }> }>(
      roomId,
    )) as CentroidRoom<{ players: Map<string, { ledger: { received: number; duplicated: number } }> }>;
  room.onMessage("*", () => undefined);
  const seen: Seen[] = [];
  const stop = new AbortController();
  const streaming = look(room as CentroidRoom, seen, stop.signal);
  await sleep(2_000);
  const silences: number[] = [];
  for (let move = 0; move < MOVES; move++) {
    const from = Math.max(0, seen.length - 1);
    await pair.move(roomId);
    await sleep(500);
    const around = seen.slice(from).map(({ atMs }) => atMs);
    silences.push(Math.max(...around.slice(1).map((atMs, i) => atMs - (around[i] ?? atMs))));
  }
  stop.abort();
  const failed = await streaming;
  const ledger = room.state.players.get(room.sessionId)?.ledger;
  // Answers leave at once, the state with the next patch.
  const deadlineMs = performance.now() + PATCH_PATIENCE_MS;
  while (ledger?.received !== seen.length && performance.now() < deadlineMs) await sleep(TICK_MS);
  const wrong = failed + Math.abs((ledger?.received ?? 0) - seen.length) + (ledger?.duplicated ?? 0);
  await room.leave();
  const group = `vision, ${MOVES} moves during a stream`;
  return [
    {
      group,
      figure: "longest silence p50",
      value: quantileOf(silences, 0.5),
      unit: "ms",
      aim: { max: INTERVAL_MS + 50 },
    },
    { group, figure: "longest silence max", value: Math.max(...silences), unit: "ms" },
    { group, figure: "answers lost or doubled", value: wrong, unit: "", aim: { max: 0 } },
  ];
}
