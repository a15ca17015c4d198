/** Several brokers: what players measure is known to the broker that decides about their room, and to no other. */
import { type Broker, connectRedis, RedisCluster, RedisStore, startBroker } from "@centroid/broker";
import { type SeatReservation, shardOf } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestRedis } from "../support/redis.js";
import { FakeAgent } from "./support/fake-agent.js";
import { QUICK, until } from "./support/world.js";

const logger = pino({ level: "silent" });
let redis: TestRedis;
beforeAll(async () => {
  redis = await TestRedis.start();
});
afterAll(() => redis[Symbol.asyncDispose]());

async function broker(owned: DisposalStack): Promise<Broker> {
  const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
  const store = new RedisStore(owned.use(await connectRedis(redis.url, logger)), undefined, cluster);
  return owned.use(await startBroker({ ...QUICK, lostAfterMs: 60_000, cluster, store }));
}

/** One host, as each of the brokers sees it. */
async function host(brokers: readonly Broker[]): Promise<FakeAgent[]> {
  const net = new Map();
  const agents = [];
  for (const { url, agentToken } of brokers)
    agents.push(
      await FakeAgent.start({ url, token: agentToken, hostId: "a", net, hello: { measures: true } }),
    );
  return agents;
}

const sourceAt = ({ events }: Broker, playerId: string): string | undefined =>
  events.snapshot().players.find((player) => player.playerId === playerId)?.latency?.source;

async function join(at: Broker, roomId: string, options: object): Promise<SeatReservation> {
  const response = await fetch(`${at.url}/matchmake/joinById/${roomId}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(options),
  });
  return (await response.json()) as SeatReservation;
}

it("a joiner's and a player's measurements reach the broker that decides, and no other (BRK-5)", async () => {
  await using owned = new DisposalStack();
  const brokers = [await broker(owned), await broker(owned), await broker(owned)];
  const agents = await host(brokers);
  owned.defer(async () => {
    for (const agent of agents) agent.disconnect();
  });
  const shards = (at: number): number[] => agents[at]?.shards ?? [];
  // Each knows its part, and the host knows whose is which.
  await until(() => [0, 1, 2].every((at) => shards(at).length > 5), 60_000);
  await until(() => new Set([0, 1, 2].flatMap(shards)).size === 64, 60_000);

  const [maker, joinedBy, third] = brokers as [Broker, Broker, Broker];
  const response = await fetch(`${maker.url}/matchmake/create/arena`, { method: "POST", body: "{}" });
  const { roomId } = (await response.json()) as SeatReservation;
  expect(shards(0)).toContain(shardOf(roomId));
  const made = agents[0]!.rooms.get(roomId)!;
  for (const agent of agents.slice(1)) {
    agent.rooms.set(roomId, made);
    agent.tell(made, { event: "running", report: agents[0]!.report(made) });
  }
  await until(() => brokers.every(({ events }) => events.snapshot().rooms.length === 1), 60_000);

  // Who joins by another broker brings measurements with it.
  const probes = [{ hostId: "a", rttsMs: [20, 21, 20] }];
  const { sessionId, centroid } = await join(joinedBy, roomId, { "~centroid": { protocol: 1, probes } });
  const { playerId } = centroid;
  made.sessions.set(sessionId, { playerId });
  for (const agent of agents) agent.tell(made, { event: "joined", sessionId, playerId });
  await until(() => sourceAt(maker, playerId) === "measured", 60_000);
  await until(() => sourceAt(third, playerId) === "geodesic", 60_000);
  await until(() => sourceAt(joinedBy, playerId) === "geodesic", 60_000);

  // What it measures later is answered by the one that decides.
  agents[0]!.tell(made, { event: "measured", sessionId, probes: [{ ...probes[0]!, lost: 0 }] });
  await until(() => agents[0]!.measure.length > 0, 60_000);
  expect([agents[1]!.measure, agents[2]!.measure]).toEqual([[], []]);
  expect([sourceAt(third, playerId), sourceAt(joinedBy, playerId)]).toEqual(["geodesic", "geodesic"]);
}, 60_000);
