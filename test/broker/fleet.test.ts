/** Rooms that are in each other's way: a broker with agents of few slots. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MemoryStore } from "@centroid/broker";
import { replay, type TraceLine } from "@centroid/placement";
import type { Decision } from "@centroid/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostOf, record, until, World } from "./support/world.js";

const AUTO = { autoMove: true, placement: { minDwellMs: 0, regretFactor: 0.001, capsMs: [] } };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fleet-"));
});
afterAll(() => rm(folder, { recursive: true }));

const trace = async (file: string): Promise<TraceLine[]> =>
  (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));

/** A room of one player who has measured every host. */
async function roomOf(world: World, rtts: Record<string, number>, type = "arena") {
  const probes = Object.entries(rtts).map(([hostId, rttMs]) => ({
    hostId,
    rttsMs: new Array(8).fill(rttMs),
  }));
  const seat = await world.join("create", type, { "~centroid": { protocol: 1, probes } });
  return { roomId: seat.roomId, hostId: seat.centroid.host.hostId };
}

const why = (world: World, roomId: string) => world.get<Decision[]>(`/api/v1/rooms/${roomId}/decisions`);

describe("a full host", () => {
  it("makes way for a room of a draining host that would lose far more elsewhere", async () => {
    await using world = await World.start([], AUTO);
    await world.host("a", { capacityRooms: 4 });
    await world.host("b", { capacityRooms: 1 });
    await world.host("c", { capacityRooms: 4 });
    const { receipts } = record(world);
    const sitting = await roomOf(world, { a: 200, b: 10, c: 14 });
    const leaving = await roomOf(world, { a: 10, b: 15, c: 300 });
    expect([sitting.hostId, leaving.hostId]).toEqual(["b", "a"]);
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => receipts.length === 2);
    expect(receipts).toMatchObject([
      { roomId: sitting.roomId, toHostId: "c", reason: "make-way", outcome: "completed" },
      { roomId: leaving.roomId, toHostId: "b", reason: "drain", outcome: "completed" },
    ]);
    // Each can say why, and names the other.
    const [evicted] = (await why(world, sitting.roomId)).filter(({ verdict }) => verdict === "move");
    expect(evicted).toMatchObject({ reason: "make-way", fromHostId: "b", toHostId: "c" });
    expect(evicted?.text).toContain(leaving.roomId);
    const [drained] = (await why(world, leaving.roomId)).filter(({ verdict }) => verdict === "move");
    expect(drained).toMatchObject({ reason: "drain", toHostId: "b" });
    expect(drained?.text).toContain(sitting.roomId);
  });

  it("makes way for a room that gains more than the other loses, and for no other", async () => {
    await using world = await World.start([], AUTO);
    await world.host("a", { capacityRooms: 4 });
    await world.host("b", { capacityRooms: 1 });
    await world.host("c", { capacityRooms: 4 });
    const { receipts } = record(world);
    const sitting = await roomOf(world, { a: 200, b: 10, c: 14 });
    const envious = await roomOf(world, { a: 100, b: 98, c: 300 });
    const wanting = await roomOf(world, { a: 120, b: 20, c: 300 });
    expect([sitting.hostId, envious.hostId, wanting.hostId]).toEqual(["b", "a", "a"]);
    await until(() => receipts.length === 2);
    expect(receipts).toMatchObject([
      { roomId: sitting.roomId, toHostId: "c", reason: "make-way" },
      { roomId: wanting.roomId, toHostId: "b", reason: "latency" },
    ]);
    expect(await hostOf(world, envious.roomId)).toBe("a");
  });

  it("stays with its rooms where only plans were asked for, which can be seen", async () => {
    await using world = await World.start([], { ...AUTO, autoMove: false });
    await world.host("a", { capacityRooms: 4 });
    await world.host("b", { capacityRooms: 1 });
    await world.host("c", { capacityRooms: 4 });
    const { decisions, receipts } = record(world);
    await roomOf(world, { a: 200, b: 10, c: 14 });
    await roomOf(world, { a: 10, b: 15, c: 300 });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => decisions.filter(({ verdict }) => verdict === "move").length >= 2);
    expect(decisions.filter(({ verdict }) => verdict === "move").slice(0, 2)).toMatchObject([
      { reason: "make-way" },
      { reason: "drain" },
    ]);
    expect(receipts).toEqual([]);
  });
});

describe("a plan", () => {
  it("is recorded with what it was made from, and comes out the same when it is made again", async () => {
    const traceFile = join(folder, "plan.jsonl");
    {
      await using world = await World.start([], { ...AUTO, traceFile });
      await world.host("a", { capacityRooms: 4 });
      await world.host("b", { capacityRooms: 1 });
      await world.host("c", { capacityRooms: 4 });
      const { receipts } = record(world);
      await roomOf(world, { a: 200, b: 10, c: 14 });
      await roomOf(world, { a: 10, b: 15, c: 300 });
      await world.call("POST", "/api/v1/hosts/a/drain", {});
      await until(() => receipts.length === 2);
    }
    const lines = await trace(traceFile);
    const plans = lines.filter(({ type }) => type === "planned");
    expect(JSON.stringify(plans)).toContain("make-way");
    expect(replay(lines).difference).toBeUndefined();
    const other = lines.map((line) =>
      line.type === "planned" ? { ...line, question: { ...line.question, others: [] } } : line,
    );
    expect(replay(other).difference?.path).toMatch(/^moves/);
  });
});

describe("a room whose host is lost", () => {
  it("gets a slot that another room leaves for it", async () => {
    const store = new MemoryStore();
    await using world = await World.start([], { ...AUTO, store });
    await world.host("a", { capacityRooms: 1, roomTypes: ["arena"] });
    const b = await world.host("b", { capacityRooms: 1, roomTypes: ["arena", "lobby"] });
    await world.host("c", { capacityRooms: 1, roomTypes: ["lobby"] });
    const { receipts } = record(world);
    const lobby = await roomOf(world, { a: 50, b: 10, c: 30 }, "lobby");
    const arena = await roomOf(world, { a: 10, b: 20, c: 30 });
    expect([lobby.hostId, arena.hostId]).toEqual(["b", "a"]);
    const { roomId } = arena;
    await store.putCheckpoint({ roomId, epoch: 1, seq: 1, takenAtMs: 0, data: Buffer.from("saved") });
    b.scripts.set("restoreRoom", () => ({
      processId: "b-1",
      address: b.address,
      stateHash: "h",
      locked: false,
      sessions: [],
    }));
    world.agent("a").crash();
    await until(async () => (await hostOf(world, roomId)) === "b", 45_000);
    expect(receipts[0]).toMatchObject({ roomId: lobby.roomId, toHostId: "c", reason: "make-way" });
  });
});

describe("a draining host", () => {
  it("sends its rooms off no faster than hosts and links bear, all of them", async () => {
    await using world = await World.start(["a"], AUTO);
    const ROOMS = 24;
    for (let i = 0; i < ROOMS; i++) await roomOf(world, { a: 10 });
    for (const hostId of ["b", "c", "d"]) await world.host(hostId);
    const { receipts, decisions } = record(world);
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => receipts.length === ROOMS);
    const starts = receipts.map(({ startedAtMs }) => startedAtMs).sort((x, y) => x - y);
    const within = (times: number[], most: number): void => {
      for (let i = most; i < times.length; i++)
        expect((times[i] ?? 0) - (times[i - most] ?? 0)).toBeGreaterThan(900);
    };
    within(starts, 8);
    for (const hostId of ["b", "c", "d"])
      within(
        receipts
          .filter(({ toHostId }) => toHostId === hostId)
          .map(({ startedAtMs }) => startedAtMs)
          .sort((x, y) => x - y),
        4,
      );
    expect(world.agent("a").rooms.size).toBe(0);
    expect(receipts.every(({ outcome, reason }) => outcome === "completed" && reason === "drain")).toBe(true);
    // Those that wait say so, once.
    const waiting = decisions.filter(({ reason }) => reason === "waiting");
    expect(waiting.length).toBeGreaterThan(0);
    expect(new Set(waiting.map(({ roomId }) => roomId)).size).toBe(waiting.length);
  });

  it("keeps a room for which there is no slot until a new host comes", async () => {
    await using world = await World.start([], AUTO);
    await world.host("a", { capacityRooms: 4 });
    const { receipts } = record(world);
    const room = await roomOf(world, { a: 10 });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(async () => (await why(world, room.roomId))[0]?.reason === "waiting");
    expect(await hostOf(world, room.roomId)).toBe("a");
    await world.host("b", { capacityRooms: 1 });
    await until(() => receipts.length === 1);
    expect(receipts).toMatchObject([{ roomId: room.roomId, toHostId: "b", reason: "drain" }]);
  });
});

describe("where a resting host is worth something", () => {
  const SAVING = { ...AUTO, placement: { ...AUTO.placement, wakeWeightMs: 40 } };

  it("a half-empty host is emptied if its players lose less than that, and stays empty", async () => {
    await using world = await World.start(["a", "b"], SAVING);
    const { receipts } = record(world);
    const near = await roomOf(world, { a: 10, b: 25 });
    const far = await roomOf(world, { a: 300, b: 10 });
    expect([near.hostId, far.hostId]).toEqual(["a", "b"]);
    await until(() => receipts.length > 0, 45_000);
    expect(receipts).toMatchObject([{ roomId: near.roomId, toHostId: "b", reason: "consolidate" }]);
    const [decision] = (await why(world, near.roomId)).filter(({ verdict }) => verdict === "move");
    expect(decision?.text).toMatch(/a can rest/);
    await until(async () => (await why(world, near.roomId))[0]?.reason === "best");
    expect(await hostOf(world, near.roomId)).toBe("b");
  });

  it("no host is emptied if they lose more", async () => {
    const traceFile = join(folder, "kept.jsonl");
    await using world = await World.start(["a", "b"], { ...SAVING, traceFile });
    const { receipts } = record(world);
    const near = await roomOf(world, { a: 10, b: 90 });
    await roomOf(world, { a: 300, b: 10 });
    // It was asked.
    await until(async () => (await readFile(traceFile, "utf8")).includes('"type":"planned"'), 45_000);
    await until(async () => (await why(world, near.roomId))[0]?.reason === "best");
    expect(receipts).toEqual([]);
  });
});

describe("a host's price", () => {
  it("is weighed against its players' latency, as it says it and as much as money counts", async () => {
    const chosen = async (moneyWeightMs: number, dear: number): Promise<string> => {
      await using world = await World.start([], { placement: { moneyWeightMs } });
      await world.host("dear", { costPerHour: dear });
      await world.host("cheap", { costPerHour: 1 });
      return (await roomOf(world, { dear: 10, cheap: 40 })).hostId;
    };
    expect(await chosen(0, 9)).toBe("dear");
    expect(await chosen(5, 9)).toBe("cheap");
    expect(await chosen(5, 2)).toBe("dear");
  });
});

describe("a host's speed", () => {
  const slow = { oneCore: 0.5, allCores: 2, cores: 4 };
  const fast = { oneCore: 2, allCores: 8, cores: 4 };
  const work = { msPerRequest: 40, perSecond: 5 };

  it("decides where a room that computes runs: where it starts, as its code declares it", async () => {
    await using world = await World.start([], {});
    await world.host("slow", { speed: slow, hello: { roomWork: { arena: work } } });
    await world.host("fast", { speed: fast, hello: { roomWork: { arena: work } } });
    await until(() => world.broker.hosts().every((host) => host.speed !== undefined));
    const { roomId, hostId } = await roomOf(world, { slow: 5, fast: 20 });
    expect(hostId).toBe("fast");
    const [placed] = (await why(world, roomId)).filter(({ verdict }) => verdict === "place");
    expect(placed?.text).toMatch(/placed at fast: J 40 ms \(20 ms of it work\)/);
    const [there = 0, elsewhere = 0] = placed?.candidates.map(({ workMs }) => workMs ?? 0) ?? [];
    expect(elsewhere / there).toBeCloseTo(4, 0);
  });

  it("moves a room once its work is measured, brought to the speed that it was measured at", async () => {
    await using world = await World.start([], AUTO);
    await world.host("slow", { speed: slow, work: { msPerRequest: 80, perSecond: 5, queueMs: 0 } });
    await world.host("fast", { speed: fast });
    await until(() => world.broker.hosts().every((host) => host.speed !== undefined));
    const { roomId, hostId } = await roomOf(world, { slow: 5, fast: 20 });
    expect(hostId).toBe("slow");
    await until(async () => (await hostOf(world, roomId)) === "fast");
    const [moved] = (await why(world, roomId)).filter(({ verdict }) => verdict === "move");
    expect(moved?.candidates.map(({ workMs }) => Math.round((workMs ?? 0) / 10) * 10)).toEqual([20, 80]);
  });
});
