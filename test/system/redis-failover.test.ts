/** The master of Redis is killed while rooms move and players talk: nothing is lost, and brokers decide again. */

import { type Broker, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { DisposalStack } from "@centroid/protocol/node";
import { CentroidClient } from "@centroid/sdk";
import { pino } from "pino";
import { afterEach, expect, it } from "vitest";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { ADMIN_TOKEN, HOSTS, LiveSystem } from "../support/live-system.js";
import { WatchedRedis } from "../support/redis-groups.js";

const logger = pino({ level: "silent" });
const BROKERS = 3;
const patiently = { timeout: 60_000 };

const owned = new DisposalStack();
afterEach(() => owned[Symbol.asyncDispose]());

it("rooms go on through it, move afterwards at new epochs, and no message is lost, doubled or out of order", async () => {
  const redis = owned.use(await WatchedRedis.start());
  const clusters: RedisCluster[] = [];
  const shared = async () => {
    const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
    clusters.push(cluster);
    const store = new RedisStore(owned.use(await connectRedis(redis.url, logger)), undefined, cluster);
    return { store, cluster, autoMove: false, lostAfterMs: 5_000, heartbeatIntervalMs: 300 };
  };
  const live = owned.use(await LiveSystem.start(await shared(), []));
  for (let more = 1; more < BROKERS; more++) await live.startAnother(await shared());
  const brokers: Broker[] = [live.broker, ...live.others];
  await Promise.all(HOSTS.map((host) => live.startHost(host)));
  await expect
    .poll(() => brokers.map((broker) => broker.hosts().length), patiently)
    .toEqual(brokers.map(() => HOSTS.length));

  const players = await Promise.all(
    brokers.map(async ({ url }, at) => {
      const network = `player${at}`;
      await live.emulator.setSite(network, HOSTS[at]!.hostId);
      const client = new CentroidClient(url, { network, measureFirst: true });
      owned.defer(() => client.dispose());
      const room = (await client.create<LedgerState>("ledger")) as LedgerRoom;
      return { room, said: 0, epochs: [] as number[] };
    }),
  );
  const talk = setInterval(() => {
    for (const player of players) player.room.send("say", ++player.said);
  }, 10);
  owned.defer(() => clearInterval(talk));
  const move = async (at: number, hostId: string): Promise<string> => {
    const response = await fetch(`${brokers[at]!.url}/api/v1/rooms/${players[at]!.room.roomId}/move`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
      body: JSON.stringify({ hostId }),
    });
    const receipt = (await response.json()) as { outcome?: string; epoch?: number };
    if (receipt.outcome === "completed") players[at]!.epochs.push(receipt.epoch ?? 0);
    return receipt.outcome ?? "refused";
  };
  const elsewhere = (at: number, round: number): string => HOSTS[(at + round) % HOSTS.length]!.hostId;
  expect(await Promise.all(players.map((_, at) => move(at, elsewhere(at, 1))))).toEqual(
    players.map(() => "completed"),
  );

  const underWay = players.map((_, at) => move(at, elsewhere(at, 2)));
  const master = await redis.master();
  await master.kill();
  await Promise.all(underWay);
  await expect.poll(async () => (await redis.master()).port === master.port, patiently).toBe(false);
  for (const at of players.keys()) {
    let round = 3;
    await expect.poll(() => move(at, elsewhere(at, round++)), patiently).toBe("completed");
    expect(players[at]!.epochs.toSorted((a, b) => a - b)).toEqual([...new Set(players[at]!.epochs)]);
    expect(players[at]!.epochs.at(-1)).toBe(Math.max(...players[at]!.epochs));
  }
  clearInterval(talk);
  for (const { room, said } of players) {
    await expect.poll(() => room.state.entries.get(room.sessionId)?.count, patiently).toBe(said);
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
  }
  // Every broker gives seats in new rooms again.
  for (const { url } of brokers) {
    const create = () =>
      fetch(`${url}/matchmake/create/ledger`, {
        method: "POST",
        body: "{}",
        headers: { "content-type": "application/json" },
      });
    await expect.poll(async () => (await create()).status, patiently).toBe(200);
  }
  await Promise.all(players.map(({ room }) => room.leave()));
}, 180_000);
