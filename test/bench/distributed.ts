/** Brokers that share a Redis: seats a second with one and with three of them, and how soon joins work after it failed. */

import { Agent } from "node:http";
import { quantileOf } from "@centroid/placement";
import { ChaosWorld } from "../chaos/world.js";
import { DOWN_AFTER_MS, WatchedRedis } from "../support/redis-groups.js";
import { CONCURRENCY, call, load } from "./load.js";
import type { Row } from "./row.js";

const ROOMS = 60;
const JOINS = 3_000;
const HOSTS = 2;
const RESTARTS = 5;
const FAILOVERS = 5;
/** A join that has no answer by then is asked again. */
const ASK_AGAIN_MS = 1_000;

export async function distributed(): Promise<Row[]> {
  return [...(await brokers(1)), ...(await brokers(3)), ...(await masterKilled(3))];
}

/** From the kill of a master that Sentinels watch until each broker has given a seat in a new room. */
async function masterKilled(count: number): Promise<Row[]> {
  const times: number[] = [];
  const promotions: number[] = [];
  for (let round = 0; round < FAILOVERS; round++) {
    await using redis = await WatchedRedis.start();
    await using world = await ChaosWorld.start({
      store: "redis",
      brokers: count,
      hosts: HOSTS,
      redisUrl: redis.url,
    });
    await Promise.all(world.urls.map(joins));
    const master = await redis.master();
    const killedMs = performance.now();
    await master.kill();
    const promoted = async (): Promise<void> => {
      while ((await redis.master()).port === master.port)
        await new Promise((resolve) => setTimeout(resolve, 20));
      promotions.push(performance.now() - killedMs);
    };
    await promoted();
    await Promise.all(world.urls.map(joins));
    times.push(performance.now() - killedMs);
  }
  const group = `${count} brokers, a master, two replicas, three Sentinels (down after ${DOWN_AFTER_MS} ms)`;
  return [
    { group, figure: "master killed until all seat again p50", value: quantileOf(times, 0.5), unit: "ms" },
    { group, figure: "master killed until all seat again max", value: Math.max(...times), unit: "ms" },
    {
      group,
      figure: "of it until the Sentinels name another p50",
      value: quantileOf(promotions, 0.5),
      unit: "ms",
    },
  ];
}

async function brokers(count: number): Promise<Row[]> {
  await using world = await ChaosWorld.start({ store: "redis", brokers: count, hosts: HOSTS });
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY });
  const roomIds: string[] = [];
  const post = async (at: number, path: string): Promise<number> => {
    const startedMs = performance.now();
    const { roomId } = await call(agent, `${world.urls[at % count]}/matchmake/${path}`);
    if (path.startsWith("create/")) roomIds.push(roomId);
    return performance.now() - startedMs;
  };
  await load(ROOMS, (at) => post(at, "create/ledger"));
  const joined = await load(JOINS, (at) => post(at, `joinById/${roomIds[(at * 7) % roomIds.length]}`));
  agent.destroy();
  const group = `${count} ${count === 1 ? "broker" : "brokers"} on one Redis, two cores shared with the load`;
  const rows: Row[] = [
    { group, figure: "seats reserved in existing rooms", value: joined.perSecond, unit: "/s" },
    { group, figure: "seat p99", value: joined.p99Ms, unit: "ms" },
  ];
  if (count > 1) rows.push(...(await redisRestart(world, group)));
  return rows;
}

/** From the kill of Redis until each broker has given a seat in a new room; Redis itself takes part of that. */
async function redisRestart(world: ChaosWorld, group: string): Promise<Row[]> {
  const times: number[] = [];
  const redisTimes: number[] = [];
  for (let round = 0; round < RESTARTS; round++) {
    const killedMs = performance.now();
    await world.redis?.restart();
    redisTimes.push(performance.now() - killedMs);
    await Promise.all(world.urls.map(joins));
    times.push(performance.now() - killedMs);
  }
  return [
    { group, figure: "Redis killed until all seat again p50", value: quantileOf(times, 0.5), unit: "ms" },
    { group, figure: "Redis killed until all seat again max", value: Math.max(...times), unit: "ms" },
    { group, figure: "of it until Redis itself answers p50", value: quantileOf(redisTimes, 0.5), unit: "ms" },
  ];
}

async function joins(url: string): Promise<void> {
  for (;;) {
    const response = await fetch(`${url}/matchmake/create/ledger`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: "{}",
      signal: AbortSignal.timeout(ASK_AGAIN_MS),
    }).catch(() => undefined);
    if (response?.ok === true) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
