/** What a room has beside its synchronised state: it moves and is restored with it, or is refused with a reason. */
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import { descendants, listener } from "../support/processes.js";

let system: TestSystem;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "carried-"));
  const rooms = join(import.meta.dirname, "../fixtures/carried-rooms");
  system = await startTestSystem({ rooms, hosts: ["a", "b"] });
}, 60_000);
afterAll(async () => {
  await system[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

interface WorldState {
  tick: number;
  news: number;
}
const create = (name: string, options?: Record<string, string>): Promise<CentroidRoom<WorldState>> =>
  new CentroidClient(system.url, { probing: false }).create<WorldState>(name, options) as never;
const other = ({ host }: CentroidRoom<WorldState>): string => (host.hostId === "a" ? "b" : "a");
/** Kills the process that the room runs in. */
const killProcessOf = async (roomId: string): Promise<void> => {
  const answer = await fetch(`${system.url}/centroid/v1/where/${roomId}`);
  const { publicAddress } = (await answer.json()) as { publicAddress: string };
  process.kill(listener(descendants(process.pid), Number(publicAddress.split(":").at(-1)))!, "SIGKILL");
};
const PLAYED = {
  cooldown: 5,
  seed: 42,
  path: [7],
  same: true,
  round: 1,
  scores: [["red", 3]],
  champion: true,
  fuse: 1,
};

it("fields that clients do not get move and are restored: of state classes, of the room, and what they point at", async () => {
  const room = await create("arena");
  room.send("play");
  await expect.poll(() => room.request("look")).toEqual(PLAYED);
  for (let move = 0; move < 2; move++) {
    expect(await system.move(room.roomId, other(room))).toMatchObject({ outcome: "completed" });
    expect(await room.request("look")).toEqual(PLAYED);
  }
  const restored = new Promise((resolve) => void room.onMigrate(resolve));
  await killProcessOf(room.roomId);
  expect(await restored).toMatchObject({ restored: true, lost: 0 });
  await expect.poll(() => room.request("look")).toEqual(PLAYED);
  await room.leave();
});

it("a simulation, a handler and a subscription that methods do are set up again wherever the room is", async () => {
  const room = await create("arena");
  room.send("begin");
  await expect.poll(() => room.state?.tick ?? 0).toBeGreaterThan(2);
  expect(await system.move(room.roomId, other(room))).toMatchObject({ outcome: "completed" });
  const { tick } = room.state;
  await expect.poll(() => room.state.tick).toBeGreaterThan(tick + 5);
  expect(await room.request("shoot")).toBe("hit");
  room.send("tell");
  await expect.poll(() => room.state.news).toBe(1);
  await room.leave();
});

it("a room that set up a closure after onCreate stays where it is, and the reason says what and how to change it", async () => {
  const room = await create("arena");
  room.send("close over");
  await expect.poll(() => room.state?.tick ?? 0).toBeGreaterThan(2);
  const moved = await system.move(room.roomId, other(room)).catch((cause: unknown) => cause);
  expect(JSON.stringify(moved) + String(moved)).toContain("the simulation was set up after onCreate()");
  const { tick } = room.state;
  await expect.poll(() => room.state.tick).toBeGreaterThan(tick + 5);
  await room.leave();
});

it("at the host that a room leaves, its hook runs, its timers and loops stop, and onDispose does not run", async () => {
  const log = join(folder, "log");
  const room = await create("arena", { log });
  const lines = (): string[] => readFileSync(log, "utf8").trim().split("\n");
  const pids = (): string[] => [...new Set(lines().map((line) => line.split(" ")[0]!))];
  await expect.poll(() => lines().length).toBeGreaterThan(2);
  expect(await system.move(room.roomId, other(room))).toMatchObject({ outcome: "completed" });
  const [source] = pids();
  await expect.poll(lines).toContain(`${source} moved away`);
  expect(lines().some((line) => line.endsWith("dispose"))).toBe(false);
  // The other host's copy goes on; the one that was left does no more.
  const since = lines().length;
  const after = (): string[] => lines().slice(since);
  for (const what of ["beat", "loose", "loop"])
    await expect
      .poll(() => after().filter((line) => line.endsWith(what) && !line.startsWith(`${source} `)).length)
      .toBeGreaterThan(5);
  expect(after().filter((line) => line.startsWith(`${source} `))).toEqual([]);
  await room.leave();
  await expect.poll(() => lines().filter((line) => line.endsWith("dispose")).length).toBe(1);
});

it("onFreeze() may give maps, dates, bytes, big numbers and cycles", async () => {
  const room = await create("board");
  expect(await system.move(room.roomId, other(room))).toMatchObject({ outcome: "completed" });
  expect(await room.request("look")).toEqual([true, true, true, true]);
  await room.leave();
});

it("an async onFreeze() is refused when the room is made; what players hold that cannot go, with the path to it", async () => {
  await expect(create("board", { mode: "async" })).rejects.toThrow(/what onFreeze\(\) returned is a promise/);
  const room = await create("board");
  room.send("piece");
  await room.request("look");
  const moved = await system.move(room.roomId, other(room)).catch((cause: unknown) => cause);
  expect(JSON.stringify(moved) + String(moved)).toContain(
    `userData of session ${room.sessionId} at .pieces[0] is an instance of Piece`,
  );
  await room.leave();
});
