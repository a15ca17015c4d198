/** Rooms that are built again while more goes wrong: never twice, and never without what was confirmed. */
import { MemoryStore } from "@centroid/broker";
import { expect, it } from "vitest";
import { until, World } from "./support/world.js";

const near = (hostId: string, ...others: string[]) => ({
  "~centroid": {
    protocol: 1,
    probes: [{ hostId, rttsMs: [1] }, ...others.map((other) => ({ hostId: other, rttsMs: [90] }))],
  },
});
const data = Buffer.from("saved").toString("base64");
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
  const { roomId } = await world.join("create", "arena", near("a", "b"));
  const [a, b] = [world.agent("a"), world.agent("b")];
  a.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data }));
  await until(() => a.checkpointed.length === 1);
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

it("asks no second host while the first may still be building it (FAIL-6)", async () => {
  await using world = await World.start(["a", "b", "c"]);
  const { roomId } = await world.join("create", "arena", near("a", "b", "c"));
  const [a, b, c] = [world.agent("a"), world.agent("b"), world.agent("c")];
  a.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data }));
  await until(() => a.checkpointed.length === 1);
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
