/** Brokers on one Redis deal out who decides about what: completely, never twice, also when some of them die. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { type ClusterEvents, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { shardOf } from "@centroid/protocol";
import { pino } from "pino";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { COMMAND_TIMEOUT_MS } from "../../server/broker/dist/redis/answered.js";
import { TestRedis } from "../support/redis.js";

const logger = pino({ level: "silent" });
/** Ids that fall into every shard several times. */
const ROOMS = Array.from({ length: 1_000 }, (_, at) => `room-${at}`);
let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis[Symbol.asyncDispose]());

const ignore = (): void => undefined;
const clusters: RedisCluster[] = [];
afterEach(async () => {
  await Promise.all(clusters.splice(0).map((cluster) => cluster[Symbol.asyncDispose]()));
});
let deployments = 0;

async function broker(
  brokerId: string,
  prefix: string,
  more: { now?: () => number; events?: Partial<ClusterEvents> } = {},
): Promise<RedisCluster> {
  const cluster = await RedisCluster.connect({ url: redis.url, prefix, logger, ...more });
  clusters.push(cluster);
  await cluster.join(
    { brokerId, url: `http://${brokerId}` },
    { acquired: ignore, released: ignore, dealt: ignore, message: ignore, ...more.events },
  );
  return cluster;
}
const prefix = (): string => `test${++deployments}:`;
const owners = (members: readonly RedisCluster[]): number[] =>
  ROOMS.map((room) => members.filter((member) => member.owns(room)).length);
const settled = (members: readonly RedisCluster[]): Promise<void> =>
  expect.poll(() => owners(members).every((count) => count === 1), { timeout: 45_000 }).toBe(true);

it("three brokers deal out every room, each to one of them, and know who has it (BRK-1)", async () => {
  const at = prefix();
  const dealt = new Set<number>();
  const events = { dealt: (shards: readonly number[]) => shards.map((shard) => dealt.add(shard)) };
  const members = [await broker("a", at, { events }), await broker("b", at), await broker("c", at)];
  const parts = (): number[] => members.map((member) => ROOMS.filter((room) => member.owns(room)).length);
  await expect.poll(() => Math.min(...parts()), { timeout: 45_000 }).toBeGreaterThan(100);
  await settled(members);
  const holder = (room: string): string => ["a", "b", "c"][members.findIndex((member) => member.owns(room))]!;
  await expect
    .poll(() => ROOMS.every((room) => members[0]!.ownerOf(room)?.brokerId === holder(room)))
    .toBe(true);
  // It was told of each that another has.
  expect(ROOMS.filter((room) => holder(room) !== "a" && !dealt.has(shardOf(room)))).toEqual([]);
  expect(
    members[1]!
      .members()
      .map(({ url }) => url)
      .toSorted(),
  ).toEqual(["http://a", "http://b", "http://c"]);
});

it("a broker that dies is followed by the others, with tokens of their own; nobody ever decides twice", async () => {
  const at = prefix();
  // A clock that stands still looks to the others like a broker that died, and to itself like no time at all.
  let frozenAtMs: number | undefined;
  const [a, b] = [await broker("a", at), await broker("b", at)];
  const dying = await broker("c", at, { now: () => frozenAtMs ?? performance.now() });
  await expect.poll(() => ROOMS.some((room) => dying.owns(room)), { timeout: 45_000 }).toBe(true);
  await settled([a, b, dying]);
  const his = ROOMS.filter((room) => dying.owns(room));
  const tokens = new Map(his.map((room) => [room, dying.tokenOf(room)]));
  let twice = 0;
  const watch = setInterval(() => {
    twice += owners([a, b, dying]).filter((count) => count > 1).length;
  }, 5);
  redis.kill("SIGSTOP");
  await expect
    .poll(() => owners([a, b, dying]).every((count) => count === 0), { timeout: 45_000 })
    .toBe(true);
  // It could not say by then that it is in contact with a host (OWN-12).
  expect(a.countsForMs()).toBeLessThan(1_000);
  redis.kill("SIGCONT");
  await settled([a, b, dying]);
  await expect
    .poll(() =>
      a
        .others()
        .map(({ brokerId }) => brokerId)
        .toSorted(),
    )
    .toEqual(["b", "c"]);
  await expect.poll(() => a.countsForMs(), { timeout: 60_000 }).toBeGreaterThan(1_000);
  await dying[Symbol.asyncDispose]();
  frozenAtMs = 0;
  await settled([a, b]);
  clearInterval(watch);
  expect(twice).toBe(0);
  for (const room of his) {
    const [owner] = [a, b].filter((member) => member.owns(room));
    expect(owner!.tokenOf(room)).not.toBe(tokens.get(room));
  }
});

it("a broker that cannot renew often keeps what it has, by longer leases (BRK-1)", async () => {
  const at = prefix();
  let released = 0;
  const member = await broker("a", at, { events: { released: () => void released++ } });
  await settled([member]);
  /** Longer than the shortest lease counts, shorter than a command waits. */
  const pause = async (): Promise<boolean> => {
    const before = released;
    redis.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 1_700));
    redis.kill("SIGCONT");
    await settled([member]);
    return released > before;
  };
  expect(await pause()).toBe(true);
  let pauses = 0;
  while (await pause()) expect(++pauses).toBeLessThan(8);
}, 120_000);

it("a broker that stood still reads what Redis has answered meanwhile", async () => {
  await using client = await connectRedis(redis.url, logger);
  const reply = client.commands.hGet("nothing", "there");
  // On its way before this process stands still.
  await new Promise(setImmediate);
  const endsAt = performance.now() + COMMAND_TIMEOUT_MS + 200;
  while (performance.now() < endsAt);
  expect(await reply).toBeNull();
});

it("what one says the others hear, and it does not hear itself", async () => {
  const at = prefix();
  const heard: string[] = [];
  const ear = (name: string): Partial<ClusterEvents> => ({
    message: ({ from, kind, body }) => heard.push(`${name} heard ${kind} ${String(body)} from ${from}`),
  });
  const a = await broker("a", at, { events: ear("a") });
  await broker("b", at, { events: ear("b") });
  await broker("c", prefix(), { events: ear("elsewhere") });
  a.publish("event", "x");
  await expect.poll(() => heard).toEqual(["b heard event x from a"]);
});

it("no Redis at the address is said in one line with what to do, and waited for as long as asked", async () => {
  const url = "redis://127.0.0.1:1";
  const said = { code: "STORE_UNAVAILABLE", message: expect.stringMatching(/no Redis answers at .*--redis/) };
  await expect(RedisCluster.connect({ url, logger })).rejects.toMatchObject(said);
  const reasons: unknown[] = [];
  const wait = { forMs: 600, onWaiting: (why: unknown) => reasons.push(why) };
  await expect(connectRedis(url, logger, wait)).rejects.toThrow(/--redis \(waited 1 s\)/);
  expect(reasons).toEqual([expect.objectContaining(said)]);
});

it("a connection that ends as it dials again keeps no process alive", async () => {
  const script = join(import.meta.dirname, "support/redis-destroyed.mjs");
  const child = fork(script, [], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  child.disconnect();
  const [code] = await once(child, "exit");
  expect(code).toBe(0);
});

it("a broker that was stopped while another took over cannot write a phase when it wakes up (BRK-2)", async () => {
  const at = prefix();
  const script = join(import.meta.dirname, "support/journal-writer.mjs");
  const stopped = fork(script, [redis.url, at, "room-1"], { stdio: ["ignore", "ignore", "inherit", "ipc"] });
  const client = await connectRedis(redis.url, logger);
  try {
    const said: string[] = [];
    stopped.on("message", (word: string) => said.push(word));
    await expect.poll(() => said.filter((word) => word === "written").length).toBeGreaterThan(3);
    stopped.kill("SIGSTOP");
    const other = await broker("other", at);
    await expect.poll(() => other.owns("room-1"), { timeout: 45_000 }).toBe(true);
    const store = new RedisStore(client, at, other);
    const [open] = await store.openMigrations();
    await store.journal({ ...open!, phase: "frozen" });
    const before = said.length;
    stopped.kill("SIGCONT");
    await expect.poll(() => said.length).toBeGreaterThan(before + 5);
    // One may have been on its way into Redis when it was stopped.
    expect(new Set(said.slice(before + 1))).toEqual(new Set(["STALE_EPOCH"]));
    expect(await store.openMigrations()).toMatchObject([{ phase: "frozen" }]);
    const room = { roomId: "room-1", name: "arena", hostId: "a", carrier: "process" } as const;
    const stale = new RedisStore(client, at, { tokenOf: () => "stopped/1" });
    await expect(stale.putRoom({ ...room, epoch: 9, fencedEpoch: 0, createdAtMs: 1 })).rejects.toMatchObject({
      code: "STALE_EPOCH",
    });
    expect(await store.rooms()).toEqual([]);
  } finally {
    stopped.kill("SIGKILL");
    await client.destroy();
  }
});
