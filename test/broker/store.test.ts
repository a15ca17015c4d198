/** What every store must do. A new one is added to the list below and must pass unchanged. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  connectRedis,
  type JournalEntry,
  LmdbStore,
  MemoryStore,
  RedisStore,
  type RoomRecord,
  type Store,
} from "@centroid/broker";
import { type AuditEntry, type Receipt, shardOf } from "@centroid/protocol";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { TestRedis } from "../support/redis.js";
import { ClusteredRedis, WatchedRedis } from "../support/redis-groups.js";

let redis: TestRedis;
let watched: WatchedRedis;
let clustered: ClusteredRedis;
let redisClient: Awaited<ReturnType<typeof connectRedis>>;
let sentinelClient: typeof redisClient;
let clusterClient: typeof redisClient;
beforeAll(async () => {
  redis = await TestRedis.start();
  [watched, clustered] = await Promise.all([WatchedRedis.start(), ClusteredRedis.start()]);
  const logger = pino({ level: "silent" });
  redisClient = await connectRedis(redis.url, logger);
  sentinelClient = await connectRedis(watched.url, logger);
  clusterClient = await connectRedis(`${clustered.url}?replicas=0`, logger);
});
afterAll(async () => {
  await Promise.all([redisClient, sentinelClient, clusterClient].map((client) => client.destroy()));
  await Promise.all([watched, clustered].map((group) => group[Symbol.asyncDispose]()));
  await redis[Symbol.asyncDispose]();
});

interface Kind {
  name: string;
  /** True if a second store opened on the same place sees what the first one wrote. */
  durable: boolean;
  open: (place: string) => Store | Promise<Store>;
}
const kinds: Kind[] = [
  { name: "memory", durable: false, open: () => new MemoryStore() },
  { name: "lmdb", durable: true, open: (place) => new LmdbStore(place) },
  { name: "redis", durable: true, open: async (place) => new RedisStore(redisClient, `${place}:`) },
  { name: "redis+sentinel", durable: true, open: (place) => new RedisStore(sentinelClient, `${place}:`) },
  { name: "redis+cluster", durable: true, open: (place) => new RedisStore(clusterClient, `${place}:`) },
];

const room = (more: Partial<RoomRecord> = {}): RoomRecord => ({
  roomId: "r",
  name: "arena",
  hostId: "a",
  carrier: "process",
  epoch: 1,
  fencedEpoch: 0,
  createdAtMs: 1,
  ...more,
});
const entry = (more: Partial<JournalEntry> = {}): JournalEntry => ({
  migrationId: "m",
  roomId: "r",
  fromHostId: "a",
  toHostId: "b",
  toEpoch: 2,
  reason: "latency",
  phase: "preparing",
  startedAtMs: 1,
  ...more,
});
const receipt = (more: Partial<Receipt> = {}): Receipt => ({
  migrationId: "m",
  roomId: "r",
  fromHostId: "a",
  toHostId: "b",
  mechanism: "handoff",
  reason: "latency",
  outcome: "completed",
  epoch: 2,
  startedAtMs: 1,
  totalMs: 100,
  phases: [],
  bytes: 0,
  messagesLost: 0,
  messagesDuplicated: 0,
  ...more,
});

const audited = (more: Partial<AuditEntry> = {}): AuditEntry => ({
  auditId: "a",
  atMs: 1,
  brokerId: "b",
  who: { role: "admin", address: "127.0.0.1", name: "Zoë" },
  action: "move",
  roomId: "r",
  details: { hostId: "a" },
  outcome: "done",
  tookMs: 1,
  ...more,
});

/** In order. */
const PRESENCE: [command: string, reply: unknown][] = [
  ["get none", null],
  ["exists none", 0],
  ["set a 5", "OK"],
  ["incr a", 6],
  ["decr b", -1],
  ["get a", "6"],
  ["hget a x", "BAD_REQUEST"],
  ["sadd a x", "BAD_REQUEST"],
  ["set word x", "OK"],
  ["incr word", "BAD_REQUEST"],
  ["setex word y 0", "BAD_REQUEST"],
  ["expire word 100", 1],
  ["expire none 100", 0],
  ["expire word 0", 1],
  ["exists word", 0],
  ["sadd s x y x", 2],
  ["sadd s y", 0],
  ["scard s", 2],
  ["sismember s y", 1],
  ["sadd other y z", 2],
  ["sinter s other", ["y"]],
  ["sinter s none", []],
  ["srem s x y none", 2],
  ["exists s", 0],
  ["hset h f 1", 1],
  ["hset h f 2", 0],
  ["hincrby h f 40", 42],
  ["hincrby h g -1", -1],
  ["hincrby h f 0.5", "BAD_REQUEST"],
  ["hgetall h", ["f", "42", "g", "-1"]],
  ["hgetall none", []],
  ["hlen h", 2],
  ["hdel h f", 1],
  ["hdel h f", 0],
  ["hincrbyex h g 3 100", 2],
  ["rpush l b c", 2],
  ["lpush l a z", 4],
  ["lindex l 0", "z"],
  ["lindex l -1", "c"],
  ["lpop l", "z"],
  ["rpop l", "c"],
  ["llen l", 2],
  ["rpop none", null],
  ["del l", 1],
  ["del l", 0],
];

describe.each(kinds)("a $name store", ({ open, durable }) => {
  const withStore = async (use: (store: Store, place: string) => Promise<void>): Promise<void> => {
    const place = await mkdtemp(join(tmpdir(), "centroid-store-"));
    const store = await open(place);
    try {
      await use(store, place);
    } finally {
      await store[Symbol.asyncDispose]();
      await rm(place, { recursive: true, force: true });
    }
  };

  it("makes a secret once, also when asked twice at once", () =>
    withStore(async (store) => {
      let made = 0;
      const ask = () => store.secret("token", () => `secret ${++made}`);
      expect(await Promise.all([ask(), ask()])).toEqual(["secret 1", "secret 1"]);
      expect(await store.secret("other", () => "x")).toBe("x");
    }));

  it("keeps small values by name until they are taken back", () =>
    withStore(async (store) => {
      expect([...(await store.values())]).toEqual([]);
      await store.putValue("one", "1");
      await store.putValue("other", "2");
      await store.putValue("one", "3");
      await store.putValue("other", undefined);
      await store.putValue("never there", undefined);
      expect([...(await store.values())]).toEqual([["one", "3"]]);
    }));

  it("carries out what rooms do with keys that they share, as Redis does", () =>
    withStore(async (store) => {
      const nowMs = Date.now();
      const run = (text: string, atMs = nowMs): Promise<unknown> => {
        const [name = "", key = "", ...args] = text.split(" ");
        return store.presence({ name: name as never, key, args }, atMs).catch(({ code }) => code);
      };
      for (const [command, reply] of PRESENCE)
        expect([command, await run(command)]).toEqual([command, reply]);
      expect(await run(`set large ${"x".repeat(60_000)}`)).toBe("OK");
      await run("setex brief x 0.05");
      await run("sadd soon x");
      await run("expire soon 0.05");
      await vi.waitFor(async () => {
        const laterMs = Date.now();
        expect([await run("exists brief", laterMs), await run("scard soon", laterMs)]).toEqual([0, 0]);
      }, 30_000);
      // All of them count.
      await Promise.all(Array.from({ length: 50 }, () => run("hincrby many n 1")));
      expect(await run("hget many n")).toBe("50");
    }));

  it("keeps rooms, and refuses an owner that is over", () =>
    withStore(async (store) => {
      await store.putRoom(room());
      await store.putRoom(room({ hostId: "b", epoch: 2 }));
      await expect(store.putRoom(room())).rejects.toMatchObject({ code: "STALE_EPOCH" });
      await store.putRoom(room({ roomId: "other" }));
      expect((await store.rooms()).map(({ roomId, hostId }) => [roomId, hostId]).sort()).toEqual([
        ["other", "a"],
        ["r", "b"],
      ]);
      await store.removeRoom("r");
      await store.removeRoom("r");
      expect(await store.rooms()).toHaveLength(1);
      await store.putRoom(room());
    }));

  it("gives out an epoch once, above what the caller knows, also when asked twice at once", () =>
    withStore(async (store) => {
      expect(await store.nextEpoch("r", 1)).toBe(2);
      const both = await Promise.all([store.nextEpoch("r", 1), store.nextEpoch("r", 1)]);
      expect(both.toSorted()).toEqual([3, 4]);
      expect(await store.nextEpoch("r", 10)).toBe(11);
      expect(await store.nextEpoch("other", 1)).toBe(2);
      await store.removeRoom("r");
      expect(await store.nextEpoch("r", 1)).toBe(2);
    }));

  it("keeps the latest checkpoint of a room, of its latest owner, as long as the room", () =>
    withStore(async (store) => {
      const save = (epoch: number, seq: number, text: string, calledOff?: number) =>
        store.putCheckpoint({ roomId: "r", epoch, seq, takenAtMs: seq, data: Buffer.from(text) }, calledOff);
      const kept = async () => {
        const found = await store.checkpoint("r");
        return found && [found.epoch, found.seq, found.takenAtMs, Buffer.from(found.data).toString()];
      };
      expect(await kept()).toBeUndefined();
      await store.putRoom(room());
      await save(1, 2, "second");
      await save(1, 1, "late");
      expect(await kept()).toEqual([1, 2, 2, "second"]);
      await save(2, 1, "moved");
      await save(1, 9, "over");
      expect(await kept()).toEqual([2, 1, 1, "moved"]);
      // What a destination saved before its move was called off gives way to the source that goes on.
      await save(1, 10, "called off later", 1);
      expect(await kept()).toEqual([2, 1, 1, "moved"]);
      await save(1, 11, "went on", 2);
      expect(await kept()).toEqual([1, 11, 11, "went on"]);
      await save(1, 10, "late", 2);
      expect(await kept()).toEqual([1, 11, 11, "went on"]);
      await store.putCheckpoint({
        roomId: "r",
        epoch: 3,
        seq: 1,
        takenAtMs: 0,
        data: Buffer.from([0, 255, 128]),
      });
      expect(Buffer.from((await store.checkpoint("r"))!.data)).toEqual(Buffer.from([0, 255, 128]));
      await store.removeRoom("r");
      expect(await kept()).toBeUndefined();
    }));

  it("knows of which rooms of a shard something is saved, on record or not, and removes just what is meant", () =>
    withStore(async (store) => {
      const save = (roomId: string, seq: number): Promise<void> =>
        store.putCheckpoint({ roomId, epoch: 1, seq, takenAtMs: 1, data: Buffer.from("x") });
      const [shard, other] = [shardOf("r"), shardOf("other")];
      expect(shard).not.toBe(other);
      await store.putRoom(room());
      await save("r", 1);
      await save("other", 1);
      expect(await store.saved([shard])).toEqual(["r"]);
      expect((await store.saved([shard, other])).toSorted()).toEqual(["other", "r"]);
      expect(await store.saved([])).toEqual([]);
      await store.removeRoom("r");
      expect(await store.saved([shard])).toEqual([]);
      // On its way while the room ended.
      await save("r", 2);
      expect(await store.saved([shard])).toEqual(["r"]);
      await save("r", 3);
      await store.removeCheckpoint({ roomId: "r", epoch: 1, seq: 2 });
      expect((await store.checkpoint("r"))?.seq).toBe(3);
      await store.removeCheckpoint({ roomId: "r", epoch: 1, seq: 3 });
      expect(await store.checkpoint("r")).toBeUndefined();
      expect(await store.saved([shard, other])).toEqual(["other"]);
    }));

  it("finds records by their rooms", () =>
    withStore(async (store) => {
      await store.putRoom(room());
      await store.putRoom(room({ roomId: "other", hostId: "b" }));
      expect((await store.records(["other", "none"])).map(({ hostId }) => hostId)).toEqual(["b"]);
      expect(await store.records([])).toEqual([]);
    }));

  it("keeps a move open until its receipt closes it", () =>
    withStore(async (store) => {
      await store.journal(entry());
      await store.journal(entry({ phase: "frozen" }));
      await store.journal(entry({ migrationId: "n" }));
      expect(
        (await store.openMigrations()).map(({ migrationId, phase }) => [migrationId, phase]).sort(),
      ).toEqual([
        ["m", "frozen"],
        ["n", "preparing"],
      ]);
      await store.closeMigration(receipt());
      await store.closeMigration(receipt());
      expect((await store.openMigrations()).map(({ migrationId }) => migrationId)).toEqual(["n"]);
      expect(await store.receipts({ limit: 10 })).toEqual([receipt()]);
    }));

  it("gives receipts newest first, by room, at most so many", () =>
    withStore(async (store) => {
      for (let i = 0; i < 6; i++) {
        await store.closeMigration(
          receipt({ migrationId: `m${i}`, roomId: i % 2 === 0 ? "even" : "odd", startedAtMs: i }),
        );
      }
      const ids = async (filter: { roomId?: string; limit: number }) =>
        (await store.receipts(filter)).map(({ migrationId }) => migrationId);
      expect(await ids({ limit: 2 })).toEqual(["m5", "m4"]);
      expect(await ids({ roomId: "even", limit: 2 })).toEqual(["m4", "m2"]);
      expect(await ids({ roomId: "none", limit: 2 })).toEqual([]);
    }));

  it("gives audit entries newest first, page by page", () =>
    withStore(async (store) => {
      for (let i = 0; i < 6; i++)
        await store.appendAudit(audited({ auditId: `a${i}`, atMs: Math.floor(i / 2) }));
      const ids = async (filter: { beforeMs?: number; limit: number }) =>
        (await store.audit(filter)).map(({ auditId }) => auditId);
      expect(await ids({ limit: 3 })).toEqual(["a5", "a4", "a3"]);
      expect(await ids({ limit: 10, beforeMs: 2 })).toEqual(["a3", "a2", "a1", "a0"]);
      expect(await ids({ limit: 10, beforeMs: 0 })).toEqual([]);
    }));

  it.runIf(durable)("remembers everything when it is opened again", () =>
    withStore(async (store, place) => {
      await store.secret("token", () => "kept");
      await store.putRoom(room());
      await store.nextEpoch("r", 1);
      await store.journal(entry());
      await store.closeMigration(receipt({ migrationId: "old" }));
      await store.appendAudit(audited());
      await store[Symbol.asyncDispose]();
      const again = await open(place);
      try {
        expect(await again.secret("token", () => "new")).toBe("kept");
        expect(await again.rooms()).toEqual([room()]);
        expect(await again.nextEpoch("r", 1)).toBe(3);
        expect(await again.openMigrations()).toEqual([entry()]);
        expect(await again.receipts({ limit: 10 })).toEqual([receipt({ migrationId: "old" })]);
        expect(await again.audit({ limit: 10 })).toEqual([audited()]);
      } finally {
        await again[Symbol.asyncDispose]();
      }
    }),
  );
});

describe("several stores on one Redis", () => {
  it("are one: what one writes the others read, and an owner that is over is refused everywhere", async () => {
    const [a, b] = [new RedisStore(redisClient, "shared:"), new RedisStore(redisClient, "shared:")];
    await a.putRoom(room({ epoch: 3, hostId: "x" }));
    await expect(b.putRoom(room({ epoch: 2 }))).rejects.toMatchObject({
      code: "STALE_EPOCH",
      message: expect.stringMatching(/epoch 3 on x/),
    });
    expect(await b.rooms()).toEqual([room({ epoch: 3, hostId: "x" })]);
    expect(await new RedisStore(redisClient, "another:").rooms()).toEqual([]);
  });

  it("go on when Redis was restarted", async () => {
    const store = new RedisStore(redisClient, "restart:");
    await store.putRoom(room());
    await redis.restart();
    expect(await store.rooms()).toEqual([room()]);
  });
});
