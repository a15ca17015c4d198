/** What is saved of rooms that are over does not stay for good, and what is saved of others is left alone. */
import { connectRedis, MemoryStore, RedisCluster, RedisStore, startBroker } from "@centroid/broker";
import { shardOf } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { expect, it } from "vitest";
import { OrphanedCheckpoints } from "../../server/broker/dist/rooms/orphaned-checkpoints.js";
import { TestRedis } from "../support/redis.js";
import { FakeAgent } from "./support/fake-agent.js";
import { QUICK, until } from "./support/world.js";

const LONG_MS = 45_000;
const logger = pino({ level: "silent" });
const saved = (roomId: string, seq = 1) => ({
  roomId,
  epoch: 1,
  seq,
  takenAtMs: 1,
  data: Buffer.from("saved"),
});
const record = {
  roomId: "awaited",
  name: "arena",
  hostId: "away",
  carrier: "process",
  epoch: 1,
  fencedEpoch: 0,
  createdAtMs: 1,
} as const;

it(
  "a save that comes after its room has ended is removed by whoever decides about its shard",
  async () => {
    await using owned = new DisposalStack();
    const redis = owned.use(await TestRedis.start());
    const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
    const store = new RedisStore(owned.use(await connectRedis(redis.url, logger)), undefined, cluster);
    const earlier = new RedisStore(owned.use(await connectRedis(redis.url, logger)));
    await earlier.putRoom(record);
    await earlier.putCheckpoint(saved("awaited"));
    // Another broker had it on its way while the room ended.
    await earlier.putRoom({ ...record, roomId: "ended" });
    await earlier.removeRoom("ended");
    await earlier.putCheckpoint(saved("ended"));
    expect(await earlier.checkpoint("ended")).toBeDefined();
    const broker = owned.use(await startBroker({ ...QUICK, cluster, store }));
    // Others are waited for from when a first host is there.
    const { url, agentToken: token } = broker;
    const host = await FakeAgent.start({ url, token, hostId: "there", net: new Map() });
    owned.defer(async () => host.disconnect());
    await until(async () => (await earlier.checkpoint("ended")) === undefined, LONG_MS);
    // Its host may come back, or another one get it.
    expect(await earlier.checkpoint("awaited")).toBeDefined();
  },
  2 * LONG_MS,
);

it("leaves alone what is saved of a room that is being made, and what is saved of it while it is looked", async () => {
  const store = new MemoryStore();
  const known = new Set(["being-made"]);
  const roomIds = ["being-made", "made-again", "saved-again", "over"];
  for (const roomId of roomIds) await store.putCheckpoint(saved(roomId));
  const looked: string[] = [];
  const orphans = new OrphanedCheckpoints({
    store: {
      saved: (shards) => store.saved(shards),
      records: (ids) => store.records(ids),
      removeCheckpoint: (checkpoint) => store.removeCheckpoint(checkpoint),
      checkpoint: async (roomId) => {
        const found = await store.checkpoint(roomId);
        looked.push(roomId);
        if (roomId === "made-again") known.add(roomId);
        if (roomId === "saved-again") await store.putCheckpoint(saved(roomId, 2));
        return found;
      },
    },
    shards: () => roomIds.map(shardOf),
    isUnknown: (roomId) => !known.has(roomId),
    logger,
  });
  await orphans.sweep();
  expect(looked).toEqual(["made-again", "saved-again", "over"]);
  const left = (await store.saved(roomIds.map(shardOf))).toSorted();
  expect(left).toEqual(["being-made", "made-again", "saved-again"]);
});
