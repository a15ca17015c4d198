/** Three brokers on one Redis: any answers any player, one decides about a room, and the others go on without it. */

import { type Broker, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { CentroidClient, type MigrateEvent } from "@centroid/sdk";
import { pino } from "pino";
import { afterEach, beforeEach, expect, it } from "vitest";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { ADMIN_TOKEN, HOSTS, LiveSystem } from "../support/live-system.js";
import { TestRedis } from "../support/redis.js";

const logger = pino({ level: "silent" });

let redis: TestRedis;
let live: LiveSystem;
let brokers: Broker[];
let clusters: RedisCluster[];
let client: Awaited<ReturnType<typeof connectRedis>>;

beforeEach(async () => {
  redis = await TestRedis.start();
  client = await connectRedis(redis.url, logger);
  clusters = [];
  const shared = async (): Promise<{ store: RedisStore; cluster: RedisCluster }> => {
    const cluster = await RedisCluster.connect({ url: redis.url, logger });
    clusters.push(cluster);
    return { store: new RedisStore(client), cluster };
  };
  const options = { autoMove: false, lostAfterMs: 5_000, heartbeatIntervalMs: 300 };
  live = await LiveSystem.start({ ...options, ...(await shared()) }, []);
  for (let more = 0; more < 2; more++) await live.startAnother({ ...options, ...(await shared()) });
  brokers = [live.broker, ...live.others];
  await Promise.all(HOSTS.map((host) => live.startHost(host)));
  await expect.poll(() => brokers.map((broker) => broker.hosts().length)).toEqual([3, 3, 3]);
});
afterEach(async () => {
  await live[Symbol.asyncDispose]();
  await Promise.all(clusters.map((cluster) => cluster[Symbol.asyncDispose]()));
  client.destroy();
  await redis[Symbol.asyncDispose]();
});

const player = async (label: string, city: string, urls: string[]): Promise<CentroidClient> => {
  await live.emulator.setSite(label, city);
  return new CentroidClient(urls, { network: label, probing: { intervalMs: 300 }, measureFirst: true });
};
const move = (broker: Broker, roomId: string, hostId: string): Promise<Response> =>
  fetch(`${broker.url}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ hostId }),
  });
const ownerOf = (roomId: string): number => clusters.findIndex((cluster) => cluster.owns(roomId));

it("any broker answers any player, and an order reaches the one that decides about the room", async () => {
  const [first, second, third] = brokers as [Broker, Broker, Broker];
  const ada = await player("ada", "frankfurt", [first.url]);
  const bob = await player("bob", "frankfurt", [second.url]);
  const room = (await ada.create<LedgerState>("ledger")) as LedgerRoom;
  const same = (await bob.joinById<LedgerState>(room.roomId)) as LedgerRoom;
  expect(ownerOf(room.roomId)).toBe(0);
  for (const broker of [first, second, third]) {
    await expect
      .poll(async () => (await (await fetch(`${broker.url}/api/v1/rooms`)).json()) as unknown)
      .toMatchObject([{ roomId: room.roomId, hostId: "frankfurt", players: 2 }]);
  }
  const moved = new Promise<MigrateEvent>((resolve) => void same.onMigrate(resolve));
  const response = await move(third, room.roomId, "virginia");
  expect(await response.json()).toMatchObject({
    outcome: "completed",
    toHostId: "virginia",
    messagesLost: 0,
  });
  expect(await moved).toMatchObject({ lost: 0, duplicated: 0 });
  for (const broker of [first, second, third]) {
    await expect
      .poll(async () => (await (await fetch(`${broker.url}/api/v1/rooms`)).json()) as unknown)
      .toMatchObject([{ hostId: "virginia", epoch: 2, players: 2 }]);
  }
  await Promise.all([room.leave(), same.leave()]);
  ada.dispose();
  bob.dispose();
});

it("a broker dies: another decides about its rooms, moves them, and saves them from their host's death", async () => {
  const urls = brokers.map(({ url }) => url);
  const ada = await player("ada", "frankfurt", [urls[1]!, urls[0]!]);
  const room = (await ada.create<LedgerState>("ledger")) as LedgerRoom;
  let said = 0;
  const talk = setInterval(() => room.send("say", ++said), 10);
  expect(ownerOf(room.roomId)).toBe(1);
  // It ends without giving anything back: its lease runs out.
  const [dead] = live.others.splice(0, 1);
  const gone = clusters.splice(1, 1)[0]!;
  await dead![Symbol.asyncDispose]();
  gone.abandon();
  await expect.poll(() => ownerOf(room.roomId)).toBeGreaterThanOrEqual(0);
  // The one that is asked has to have heard of it as well.
  const living = [live.broker, ...live.others].map(({ url }) => url);
  await expect.poll(() => living.includes(clusters[0]!.ownerOf(room.roomId)?.url ?? "")).toBe(true);
  const moved = new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve));
  expect(await (await move(live.broker, room.roomId, "virginia")).json()).toMatchObject({
    outcome: "completed",
  });
  expect(await moved).toMatchObject({ lost: 0, restored: false });
  const restored = new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve));
  await expect.poll(() => room.state.entries.get(room.sessionId)?.count ?? 0).toBeGreaterThan(100);
  const saved = async (): Promise<number> =>
    (await new RedisStore(client).checkpoint(room.roomId))?.epoch ?? 0;
  await expect.poll(saved).toBe(2);
  live.agents.get("virginia")!.kill("SIGKILL");
  expect(await restored).toMatchObject({ lost: 0, restored: true });
  clearInterval(talk);
  const entry = (): { count: number; disorder: number } | undefined => room.state.entries.get(room.sessionId);
  await expect.poll(() => entry()?.count).toBe(said);
  expect(entry()?.disorder).toBe(0);
  // The SDK asks the brokers that are left.
  await room.leave();
  const again = (await ada.joinOrCreate<LedgerState>("ledger")) as LedgerRoom;
  await again.leave();
  ada.dispose();
});

it("what a room publishes is heard by rooms on other hosts, once, also when a broker is gone", async () => {
  const urls = brokers.map(({ url }) => url);
  const ada = await player("ada", "frankfurt", [urls[1]!, urls[0]!]);
  const bob = await player("bob", "tokyo", [urls[2]!, urls[0]!]);
  const here = await ada.create("herald");
  const there = await bob.create("herald");
  expect([here.host.hostId, there.host.hostId].toSorted()).toEqual(["frankfurt", "tokyo"]);
  const heard: string[] = [];
  here.onMessage("news", (news: string) => heard.push(`here ${news}`));
  there.onMessage("news", (news: string) => heard.push(`there ${news}`));
  here.send("tell", "one");
  await expect.poll(() => heard.toSorted()).toEqual(["here one", "there one"]);
  // Agents are told of brokers in this order: the first is who passes things on.
  await live.broker[Symbol.asyncDispose]();
  there.send("tell", "two");
  await expect.poll(() => heard.slice(2).toSorted()).toEqual(["here two", "there two"]);
  // It is heard where it goes.
  await expect.poll(async () => (await move(brokers[1]!, there.roomId, "virginia")).status).toBe(200);
  here.send("tell", "three");
  await expect.poll(() => heard.slice(4).toSorted()).toEqual(["here three", "there three"]);
  await Promise.all([here.leave(), there.leave()]);
  ada.dispose();
  bob.dispose();
});

it("a host that only the deciding broker cannot reach keeps its rooms: nobody else runs them meanwhile (OWN-6, FAIL-2)", async () => {
  const [first, second, third] = brokers as [Broker, Broker, Broker];
  await using proxy = await CuttableProxy.start(() => first.url.replace("http://", ""));
  await live.agents.get("frankfurt")![Symbol.asyncDispose]();
  const ways = [`ws://${proxy.address}`, ...[second, third].map(({ url }) => url.replace("http", "ws"))];
  await live.startHost(HOSTS.find(({ hostId }) => hostId === "frankfurt")!, 50, ways);
  const reachable = () => first.hosts().filter(({ state }) => state === "active").length;
  await expect.poll(reachable).toBe(3);
  const ada = await player("ada", "frankfurt", [first.url]);
  const room = (await ada.create<LedgerState>("ledger")) as LedgerRoom;
  expect([ownerOf(room.roomId), room.host.hostId]).toEqual([0, "frankfurt"]);
  let said = 0;
  const talk = setInterval(() => room.send("say", ++said), 10);
  const moves: MigrateEvent[] = [];
  room.onMigrate((move) => void moves.push(move));
  proxy.blocked = true;
  proxy.cut();
  // Longer than it takes to notice an agent that ended, and one that is silent.
  const heard = (): number => room.state.entries.get(room.sessionId)?.count ?? 0;
  await expect.poll(heard, { timeout: 40_000 }).toBeGreaterThan(800);
  expect(first.hosts().map(({ state }) => state)).not.toContain("lost");
  expect(moves).toEqual([]);
  proxy.blocked = false;
  await expect
    .poll(async () => (await (await move(first, room.roomId, "virginia")).json()) as unknown)
    .toMatchObject({ outcome: "completed" });
  await expect.poll(() => moves.length).toBe(1);
  expect(moves).toMatchObject([{ lost: 0, restored: false }]);
  clearInterval(talk);
  await expect.poll(heard).toBe(said);
  await room.leave();
  ada.dispose();
});
