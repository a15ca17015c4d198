/** Several room host processes on one host: which gets a room, and what each does not share with the others. */
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { chooseProcess, maxProcesses } from "../../infra/agent/dist/carrier/choose-process.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

describe("the process for the next room", () => {
  const busy = { rooms: 2, load: 0.5, newRooms: 0 };

  it("is one that has none, else another one while more are allowed", () => {
    expect(chooseProcess([], 1)).toBeUndefined();
    expect(chooseProcess([busy, { rooms: 0, load: 0.1, newRooms: 0 }], 8)).toBe(1);
    expect(chooseProcess([busy, busy], 8)).toBeUndefined();
    expect(chooseProcess([busy], maxProcesses("shared", 8))).toBe(0);
    expect(chooseProcess([busy], maxProcesses("core", 1))).toBe(0);
    expect(chooseProcess(Array(99).fill(busy), maxProcesses("room", 1))).toBeUndefined();
  });

  it("is the one that uses least, where the rooms it was given since count as others do", () => {
    const lighter = { rooms: 9, load: 0.3, newRooms: 0 };
    expect(chooseProcess([busy, lighter], 2)).toBe(1);
    expect(chooseProcess([busy, { ...lighter, newRooms: 4 }], 2)).toBe(0);
    expect(chooseProcess([busy, { ...busy, rooms: 1 }], 2)).toBe(1);
  });

  it("spreads rooms that come all at once, before anything was measured", () => {
    const processes = Array.from({ length: 4 }, () => ({ rooms: 1, load: 0, newRooms: 1 }));
    for (let room = 0; room < 40; room++) {
      const chosen = processes[chooseProcess(processes, 4)!]!;
      chosen.rooms++;
      chosen.newRooms++;
    }
    expect(processes.map(({ rooms }) => rooms)).toEqual([11, 11, 11, 11]);
  });
});

describe("a host with a process per room", () => {
  let pair: PairOfHosts;
  beforeAll(async () => {
    const rooms = join(import.meta.dirname, "../fixtures/handler-rooms");
    pair = await PairOfHosts.start(rooms, 0, 0, 0, 0, "room");
  });
  afterAll(() => pair[Symbol.asyncDispose]());

  it("loses one room when its process ends, and the others' players notice nothing", async () => {
    const client = pair.client();
    const neighbour = await client.create<{ round: number }>("eye");
    for (const heard of ["all", "one"]) neighbour.onMessage(heard, () => undefined);
    const poison = await client.create<{ heard: number }>("poison");
    const reports = await pair.carriers.a.reports();
    expect(new Set(reports.map(({ processId }) => processId)).size).toBe(2);
    expect(new Set(reports.map(({ address }) => address)).size).toBe(2);
    neighbour.send("ring");
    await expect.poll(() => neighbour.state?.round).toBe(1);
    poison.send("exit");
    const { roomId, change } = await pair.heard(({ change: { event } }) => event === "lost");
    expect(roomId).toBe(poison.roomId);
    expect(change).toMatchObject({ blame: { how: "exited", what: 'message "exit"' } });
    expect(pair.carriers.a.has(poison.roomId)).toBe(false);
    expect(pair.carriers.a.has(neighbour.roomId)).toBe(true);
    neighbour.send("ring");
    await expect.poll(() => neighbour.state.round).toBe(2);
    expect(pair.told.filter(({ change: { event } }) => event === "lost")).toHaveLength(1);
    const left = await pair.carriers.a.reports();
    expect(left.map((report) => report.roomId)).toEqual([neighbour.roomId]);
    client.dispose();
  }, 60_000);

  it("moves a room out of its process into one of another host's, and back", async () => {
    const client = pair.client();
    const room = await client.create<{ round: number }>("eye");
    for (const heard of ["all", "one"]) room.onMessage(heard, () => undefined);
    const there = await pair.create("eye", {}, "b");
    for (const hostId of ["b", "a"] as const) {
      await pair.move(room.roomId);
      expect(pair.carriers[hostId].has(room.roomId)).toBe(true);
      expect(pair.carriers[hostId === "a" ? "b" : "a"].has(room.roomId)).toBe(false);
      const before = room.state.round ?? 0;
      room.send("ring");
      await expect.poll(() => room.state.round).toBe(before + 1);
    }
    expect(pair.carriers.b.has(there)).toBe(true);
    client.dispose();
  }, 60_000);
});

it("a process that the machine cannot start costs its room, and not the agent", async () => {
  await using pair = await PairOfHosts.start(undefined, 0, 0, 0, 0, "room");
  const { execPath } = process;
  process.execPath = join(import.meta.dirname, "no-such-program");
  try {
    await expect(pair.create("ledger")).rejects.toMatchObject({
      code: "HOST_LOST",
      message: expect.stringMatching(/^the room host process cannot be started: spawn .* ENOENT$/),
    });
  } finally {
    process.execPath = execPath;
  }
  expect(await pair.carriers.a.reports()).toEqual([]);
  await pair.create("ledger");
}, 60_000);

it("rooms in different processes of a host hear each other", async () => {
  await using pair = await PairOfHosts.start(undefined, 0, 0, 0, 0, "room");
  const client = pair.client();
  const [one, other] = [await client.create("herald"), await client.create("herald")];
  const heard: unknown[] = [];
  one.onMessage("news", () => undefined);
  other.onMessage("news", (news: unknown) => heard.push(news));
  one.send("tell", "hear");
  await expect.poll(() => heard).toEqual(["hear"]);
  client.dispose();
}, 60_000);
