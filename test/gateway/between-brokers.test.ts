/**
 * Brokers of one deployment know what a gateway said to any of them: how far the hosts are from it, and, of the rooms about
 * which they decide, whom it carries.
 */
import { once } from "node:events";
import { type Broker, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { startGateway } from "@centroid/gateway";
import { shardOf } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { DirectoryLink } from "../../infra/gateway/dist/directory-link.js";
import type { ToldWay } from "../../server/broker/dist/cluster/broker-messages.js";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { SessionWays } from "../../server/broker/dist/probes/session-ways.js";
import { until } from "../broker/support/world.js";
import { HOSTS, LiveSystem } from "../support/live-system.js";
import { TestRedis } from "../support/redis.js";

const logger = pino({ level: "silent" });
const [HOST] = HOSTS;
/** Of a machine on which several other things run. */
const patience = { timeout: 60_000, interval: 100 };
const owned = new DisposalStack();
let first: Broker;
let second: Broker;
let clusters: RedisCluster[];

beforeAll(async () => {
  const redis = owned.use(await TestRedis.start());
  const client = await connectRedis(redis.url, logger);
  owned.defer(() => client.destroy());
  const shared = async () => {
    const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
    clusters.push(cluster);
    return { store: new RedisStore(client), cluster, autoMove: false, emulated: false };
  };
  clusters = [];
  const live = owned.use(await LiveSystem.start(await shared(), []));
  first = live.broker;
  // Hosts are reached by the emulator, which has to know where a gateway is that measures them.
  await live.emulator.setSite("gateway:far", HOST!.hostId);
  second = await live.startAnother(await shared());
  await live.startHost(HOST!);
  // Whoever watches is told of players of the other broker's rooms, too.
  for (const { events } of [first, second]) {
    const end = events.subscribe(() => undefined);
    owned.defer(async () => end());
  }
  await until(() => [first, second].every((broker) => broker.hosts().length === 1), patience.timeout);
}, 120_000);
afterAll(() => owned[Symbol.asyncDispose]());

interface Seated {
  roomId: string;
  socket: WebSocket;
  report: (body: object) => Promise<{ gatewayId?: string }>;
}

/** A player who comes by that origin, and reports to the second broker. */
async function joinBy(origin: string): Promise<Seated> {
  const answer = await fetch(`${origin}/matchmake/create/ledger`, { method: "POST", body: "" });
  const { roomId, processId, sessionId, centroid } = (await answer.json()) as Record<string, string> & {
    centroid: { playerId: string; playerToken: string };
  };
  const socket = new WebSocket(
    `${origin.replace("http", "ws")}/${processId}/${roomId}?sessionId=${sessionId}`,
  );
  socket.once("message", () => socket.send(Buffer.from([10])));
  await once(socket, "message");
  const { playerId, playerToken } = centroid;
  return {
    roomId: roomId!,
    socket,
    report: async (body) => {
      const answered = await fetch(`${second.url}/centroid/v1/probes`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ playerId, playerToken, roomId, probes: [], ...body }),
      });
      expect(answered.status).toBe(200);
      return (await answered.json()) as { gatewayId?: string };
    },
  };
}

/** The broker that decides about the room. */
const decider = (roomId: string): Broker => (clusters[0]!.owns(roomId) ? first : second);
const wayAt = (broker: Broker, roomId: string): (string | undefined)[] =>
  broker.events
    .snapshot()
    .players.filter((player) => player.roomId === roomId)
    .map(({ gatewayId }) => gatewayId);

it("whoever decides knows a session's gateway and hosts' distances from gateways, and that it needs none any more", async () => {
  await using links = new DisposalStack();
  const common = { brokerUrls: [first.url], token: first.gatewayToken, notice: () => undefined };
  const far = links.use(await startGateway({ ...common, gatewayId: "far", bindHost: "127.0.0.1", port: 0 }));
  await far.ready;
  const brokerUrls = [first.url.replace("http", "ws")];
  const near = new DirectoryLink({ ...common, brokerUrls, gatewayId: "near" });
  links.defer(() => near[Symbol.dispose]());
  const { roomId, socket, report } = await joinBy(far.url);
  await expect.poll(() => wayAt(decider(roomId), roomId), patience).toEqual(["far"]);
  // Both gateways have told the first broker how far the host is; the player asks the second.
  await near.measured({ hosts: [{ hostId: HOST!.hostId, rttsMs: [1, 1, 1], lost: 0 }] });
  const gateways = [
    { gatewayId: "far", rttsMs: [200, 200, 200] },
    { gatewayId: "near", rttsMs: [1, 1, 1] },
  ];
  await expect
    .poll(() => report({ gatewayId: "far", gateways }), patience)
    .toMatchObject({ gatewayId: "near" });
  await report({ way: "direct" });
  await expect.poll(() => wayAt(decider(roomId), roomId), patience).toEqual([undefined]);
  socket.close();
}, 120_000);

it("a broker's own gateway has that broker's name", async () => {
  const { roomId, socket } = await joinBy(first.url);
  await expect.poll(() => wayAt(decider(roomId), roomId), patience).toEqual([`broker-${first.brokerId}`]);
  socket.close();
}, 120_000);

it("one broker is told by which gateway a session comes, and whoever decides next, by all who were told: the last word counts", () => {
  const roomId = "room";
  const b = { brokerId: "b", url: "http://b" };
  const c = { brokerId: "c", url: "http://c" };
  let nowMs = 1_000;
  let owner = b;
  const session: { gatewayId?: string } = {};
  const told: [string, ToldWay[]][] = [];
  const ways = (brokerId: string) =>
    new SessionWays({
      rooms: { get: () => ({ sessions: new Map([["s", session]]) }) as never },
      events: new Emitter(),
      cluster: { owns: () => owner.brokerId === brokerId, ownerOf: () => owner },
      brokerLinks: {
        tell: ({ brokerId: to }, message) => {
          if (message.type === "ways") told.push([to, message.ways]);
        },
      },
      clock: { now: () => nowMs, after: () => () => undefined },
    });
  const [a, x] = [ways("a"), ways("x")];
  a.comesBy({ roomId, sessionId: "s", gatewayId: "near" });
  expect(told).toEqual([["b", [{ roomId, sessionId: "s", gatewayId: "near", agoMs: 0 }]]]);
  a.comesBy({ roomId, sessionId: "s", gatewayId: "near" });
  expect(told).toHaveLength(1);
  // It has gone over to a gateway of a third broker, of which the first is told nothing.
  nowMs += 500;
  x.comesBy({ roomId, sessionId: "s", gatewayId: "other" });
  expect(told.splice(0).map(([to]) => to)).toEqual(["b", "b"]);

  owner = c;
  x.dealt([shardOf(roomId)]);
  a.dealt([(shardOf(roomId) + 1) % 64]);
  expect(told).toHaveLength(1);
  a.dealt([shardOf(roomId)]);
  expect(told.map(([to, [way]]) => [to, way?.gatewayId, way?.agoMs])).toEqual([
    ["c", "other", 0],
    ["c", "near", 500],
  ]);
  const heir = ways("c");
  for (const [, said] of told.splice(0)) heir.toldByBroker(said);
  expect(session.gatewayId).toBe("other");
  owner = b;
  // It has it from others, who tell whoever decides next themselves.
  heir.dealt([shardOf(roomId)]);
  expect(told).toEqual([]);
});
