/** Rooms whose host is lost while more goes wrong: never run twice, never without what was confirmed, never for ever away. */
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type BrokerOptions, MemoryStore } from "@centroid/broker";
import { expect, it } from "vitest";
import { FakeAgent } from "./support/fake-agent.js";
import { record, until, World } from "./support/world.js";

const near = (hostId: string, ...others: string[]) => ({
  "~centroid": {
    protocol: 1,
    probes: [{ hostId, rttsMs: [1] }, ...others.map((other) => ({ hostId: other, rttsMs: [90] }))],
  },
});
const data = Buffer.from("saved").toString("base64");
/** A room at host a that is saved once. The others are farther from its player. */
async function savedRoom(world: World, ...others: string[]): Promise<string> {
  const { roomId } = await world.join("create", "arena", near("a", ...others));
  const a = world.agent("a");
  a.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data }));
  await until(() => a.checkpointed.length === 1);
  return roomId;
}
const state = (world: World, hostId: string): string | undefined =>
  world.broker.hosts().find((host) => host.hostId === hostId)?.state;

/** Whose later checkpoints take as long as the test wants. */
class SlowStore extends MemoryStore {
  readonly finish: (() => void)[] = [];
  slow = false;

  override async putCheckpoint(checkpoint: Parameters<MemoryStore["putCheckpoint"]>[0]): Promise<void> {
    if (this.slow) await new Promise<void>((resolve) => this.finish.push(resolve));
    await super.putCheckpoint(checkpoint);
  }
}

it("confirms no checkpoint that the rescue may not have read (FAIL-5)", async () => {
  const store = new SlowStore();
  await using world = await World.start(["a", "b"], { store });
  const { roomId } = await world.join("create", "arena", near("a", "b"));
  const a = world.agent("a");
  const save = (seq: number): void =>
    a.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq, takenAtMs: 1, data }));
  save(1);
  await until(() => a.checkpointed.length === 1);
  store.slow = true;
  save(2);
  await until(() => store.finish.length === 1);
  let restoring = (): undefined => undefined;
  const asked = new Promise<void>((resolve) => {
    restoring = () => void resolve();
  });
  world.agent("b").scripts.set("restoreRoom", () => restoring());
  // The connection stays open: what it still says is heard.
  a.silence();
  await asked;
  save(3);
  // The host need not wait for it.
  await until(() => a.unsaved.length === 1);
  expect(a.unsaved).toEqual([{ seq: 3, code: "STALE_EPOCH" }]);
  await until(() => world.broker.events.snapshot().rooms[0]?.hostId === "b");
  for (const finish of store.finish) finish();
  // Whatever was to be said on this connection has been said by then.
  a.raw(JSON.stringify({ type: "heartbeat", load: 0, rssBytes: 0 }));
  await until(() => a.dropped);
  expect(a.checkpointed).toEqual([1]);
});

it("puts the owner to be on record before it asks it, and believes the old one no more (FAIL-6)", async () => {
  const store = new MemoryStore();
  await using world = await World.start(["a", "b"], { store });
  const roomId = await savedRoom(world, "b");
  const [a, b] = [world.agent("a"), world.agent("b")];
  const recorded = new Promise<unknown>((resolve) => {
    // Never answered: the broker ends before.
    b.scripts.set("restoreRoom", (request) => {
      void store.rooms().then(([record]) => resolve(record));
      return b.usual(request).then(() => new Promise(() => undefined));
    });
  });
  a.disconnect();
  expect(await recorded).toMatchObject({ hostId: "b", epoch: 2 });
  await world.restart();
  // The old host is the first to be back, with a copy that stood still.
  await a.connect(world.broker.url);
  await until(() => !a.rooms.has(roomId));
  await b.connect(world.broker.url);
  expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ hostId: "b", epoch: 2 });
});

it("ends the move that another broker had begun with the room, which has arrived, and builds nothing anew (OWN-8)", async () => {
  const store = new MemoryStore();
  await using world = await World.start(["a", "b"], { store });
  const roomId = await savedRoom(world, "b");
  const [a, b] = [world.agent("a"), world.agent("b")];
  // Decided, begun and carried out since this broker has read what is open.
  const move = { migrationId: "m", roomId, fromHostId: "a", toHostId: "b", toEpoch: 2 } as const;
  await store.journal({ ...move, reason: "operator", phase: "switching", startedAtMs: 1 });
  const room = a.rooms.get(roomId)!;
  a.rooms.delete(roomId);
  b.rooms.set(roomId, { ...room, epoch: 2, role: "owner", migrationId: "m" });
  const restored: string[] = [];
  for (const host of [a, b]) host.scripts.set("restoreRoom", () => void restored.push(host.hostId));
  a.disconnect();
  await a.connect();
  const view = () => world.get<{ hostId: string; epoch: number; state: string }>(`/api/v1/rooms/${roomId}`);
  await until(async () => (await view()).state === "running" && (await store.openMigrations()).length === 0);
  expect([await view(), restored]).toMatchObject([{ hostId: "b", epoch: 2 }, []]);
  expect(b.rooms.get(roomId)).toMatchObject({ role: "owner", epoch: 2 });
});

it("builds the room that another broker had begun to move and that neither host has", async () => {
  const store = new MemoryStore();
  await using world = await World.start(["a", "b"], { store });
  const roomId = await savedRoom(world, "b");
  const a = world.agent("a");
  const move = { migrationId: "m", roomId, fromHostId: "a", toHostId: "b", toEpoch: 2 } as const;
  await store.journal({ ...move, reason: "operator", phase: "copying", startedAtMs: 1 });
  a.rooms.delete(roomId);
  a.disconnect();
  await a.connect();
  const view = () => world.get<{ epoch: number; state: string }>(`/api/v1/rooms/${roomId}`);
  await until(async () => (await view()).state === "running" && (await view()).epoch > 2);
  expect(await store.openMigrations()).toEqual([]);
});

it("asks no second host while the first may still be building it (FAIL-6)", async () => {
  await using world = await World.start(["a", "b", "c"]);
  await savedRoom(world, "b", "c");
  const [a, b, c] = [world.agent("a"), world.agent("b"), world.agent("c")];
  const order: string[] = [];
  for (const host of [b, c]) {
    host.scripts.set("disposeRoom", () => void order.push(`dispose at ${host.hostId}`));
    host.scripts.set("restoreRoom", () => {
      order.push(`restore at ${host.hostId}`);
      if (order.length > 1) return undefined;
      // It is at it, and only its connection breaks.
      host.disconnect();
      void host.connect();
      return new Promise(() => undefined);
    });
  }
  a.crash();
  await until(() => (world.broker.events.snapshot().rooms[0]?.epoch ?? 0) > 1);
  const first = order[0]?.slice(-1);
  expect(order.slice(0, 3)).toEqual([
    `restore at ${first}`,
    `dispose at ${first}`,
    expect.stringContaining("restore at"),
  ]);
});

it("does not answer the heartbeat of a host that counts as lost (OWN-9)", async () => {
  await using world = await World.start(["a"]);
  const a = world.agent("a");
  await until(() => a.heard > 0);
  a.silence();
  await until(() => state(world, "a") === "lost");
  const { heard } = a;
  a.raw(JSON.stringify({ type: "heartbeat", load: 0, rssBytes: 0 }));
  await until(() => a.dropped);
  expect(a.heard).toBe(heard);
});

it("restores a room that arrived at a host which had been lost by then (FAIL-3)", async () => {
  await using world = await World.start(["a", "b"], { migration: { deadlineMs: 60_000, prepareMs: 60_000 } });
  const roomId = await savedRoom(world, "b");
  const [a, b] = [world.agent("a"), world.agent("b")];
  // Nobody hears b any more, though it still takes the room.
  b.tell = () => undefined;
  a.scripts.set("migrateOut", (request) =>
    a.migrateOut(request as Extract<typeof request, { method: "migrateOut" }>, async (step) => {
      if (step !== "accepted") return;
      b.silence();
      await until(() => state(world, "b") === "lost");
    }),
  );
  const moved = world.move(roomId, "b");
  await until(() => (world.broker.events.snapshot().rooms[0]?.epoch ?? 0) > 2);
  expect(world.broker.events.snapshot().rooms).toMatchObject([{ hostId: "a", state: "running" }]);
  expect(await moved).toMatchObject({ outcome: "completed" });
});

/** The port of a room host: open while its process lives, whether or not anybody hears from it. */
async function roomHost(): Promise<{ address: string; end: () => Promise<void> } & AsyncDisposable> {
  const server = createServer((socket) => socket.on("error", () => undefined).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const end = async (): Promise<void> => {
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  };
  const { port } = server.address() as AddressInfo;
  return { address: `127.0.0.1:${port}`, end, [Symbol.asyncDispose]: end };
}

/** What becomes of host a by the time b is told to take over, once the feed of b's standby and a's connection broke. */
async function whenTakenOver(address: string, options: BrokerOptions): Promise<string | undefined> {
  const store = new MemoryStore();
  const room = { roomId: "room-1", name: "arena", carrier: "process", epoch: 1 } as const;
  const standbyId = "standby-1";
  await store.putRoom({
    ...room,
    hostId: "a",
    fencedEpoch: 0,
    createdAtMs: 1,
    standby: { standbyId, hostId: "b" },
  });
  await using world = await World.start(["b"], { ...options, store });
  const report = { ...room, processId: "a-1", address, passive: false, locked: false, replicated: true };
  const a = new FakeAgent({ ...world.agentOptions("a"), hello: { rooms: [{ ...report, sessions: [] }] } });
  // The standby stays on record: whatever the broker asks about it is not answered.
  a.scripts.set("setAckPolicy", () => new Promise(() => undefined));
  await a.connect();
  const b = world.agent("b");
  const taken = new Promise<string | undefined>((resolve) => {
    b.scripts.set("restoreRoom", () => void resolve(state(world, "a")));
  });
  const change = { event: "standby-orphaned", standbyId };
  b.raw(JSON.stringify({ type: "room", roomId: room.roomId, epoch: 0, change }));
  a.disconnect();
  return await taken;
}

it("lets a standby take over at once from a host whose port refuses, and else only when its lease is over (STBY-3)", async () => {
  await using process = await roomHost();
  // Cut off from broker and standby, it may run the room until then.
  expect(await whenTakenOver(process.address, {})).toBe("lost");
  await process.end();
  expect(await whenTakenOver(process.address, { lostAfterMs: 600_000 })).toBe("active");
});

/** What players are told of a room that they look for. */
async function whereIs(
  world: World,
  roomId: string,
): Promise<{ status: number; code?: string; restoring?: boolean }> {
  const response = await world.call("GET", `/centroid/v1/where/${roomId}`, undefined, "");
  const { error, restoring } = (await response.json()) as { error?: { code: string }; restoring?: boolean };
  return { status: response.status, ...(error && { code: error.code }), ...(restoring && { restoring }) };
}
const OVER = { status: 410, code: "ROOM_LOST" };

it("waits 30 s for a host that has the only copy of a room, then ends it and says why (FAIL-8)", async () => {
  await using process = await roomHost();
  let aheadMs = 0;
  const clock: BrokerOptions["clock"] = {
    now: () => performance.timeOrigin + performance.now() + aheadMs,
    after(delayMs, run) {
      const timer = setTimeout(run, delayMs);
      return () => clearTimeout(timer);
    },
  };
  await using world = await World.start([], { clock });
  const { receipts } = record(world);
  const a = await world.host("a", { address: process.address });
  const { roomId } = await world.join("create", "arena");
  expect(await whereIs(world, roomId)).toEqual({ status: 200 });
  a.disconnect();
  await until(() => state(world, "a") === "lost");
  expect(await whereIs(world, roomId)).toEqual({ status: 200, restoring: true });
  await a.connect();
  expect(world.broker.events.snapshot().rooms).toMatchObject([{ roomId, state: "running", epoch: 1 }]);
  a.disconnect();
  await until(() => state(world, "a") === "lost");
  aheadMs = 30_000;
  await until(() => receipts.length > 0);
  expect(receipts).toMatchObject([{ roomId, outcome: "failed", error: { code: "ROOM_LOST" } }]);
  expect(await whereIs(world, roomId)).toEqual(OVER);
  // Its players have been told: no copy of it runs on.
  await a.connect();
  await until(() => !a.rooms.has(roomId));
  expect(world.broker.events.snapshot().rooms).toEqual([]);
});

it("has players look on for a room as soon as its host is away, though it does not count as lost yet", async () => {
  await using world = await World.start(["a"], { lostAfterMs: 600_000 });
  const { roomId } = await world.join("create", "arena");
  expect(await whereIs(world, roomId)).toEqual({ status: 200 });
  world.agent("a").disconnect();
  await until(async () => (await whereIs(world, roomId)).restoring === true);
  expect(state(world, "a")).toBe("active");
});

it("ends a room that was never saved at once if its host has surely lost it (FAIL-8)", async () => {
  await using world = await World.start();
  const process = await roomHost();
  const a = await world.host("a", { address: process.address });
  const rooms = [await world.join("create", "arena"), await world.join("create", "arena")];
  const [first, second] = rooms.map(({ roomId }) => roomId) as [string, string];
  a.tell(a.rooms.get(first)!, { event: "lost", error: { code: "HOST_LOST", message: "room host died" } });
  await until(async () => (await whereIs(world, first)).status === OVER.status);
  await process.end();
  a.crash();
  await until(async () => (await whereIs(world, second)).status === OVER.status);
  expect(await whereIs(world, first)).toEqual(OVER);
});
