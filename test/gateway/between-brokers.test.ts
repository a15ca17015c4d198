/** Brokers of one deployment know what a gateway said to any of them: whom it carries, and how far the hosts are from it. */
import { once } from "node:events";
import { type Broker, connectRedis, RedisCluster, RedisStore } from "@centroid/broker";
import { startGateway } from "@centroid/gateway";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { DirectoryLink } from "../../infra/gateway/dist/directory-link.js";
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

beforeAll(async () => {
  const redis = owned.use(await TestRedis.start());
  const client = await connectRedis(redis.url, logger);
  owned.defer(() => client.destroy());
  const shared = async () => {
    const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
    return { store: new RedisStore(client), cluster, autoMove: false, emulated: false };
  };
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

const wayAt = (broker: Broker, roomId: string): (string | undefined)[] =>
  broker.events
    .snapshot()
    .players.filter((player) => player.roomId === roomId)
    .map(({ gatewayId }) => gatewayId);

it("a session's gateway is known to all, as are hosts' distances from gateways, and that it needs none any more", async () => {
  await using links = new DisposalStack();
  const common = { brokerUrls: [first.url], token: first.gatewayToken, notice: () => undefined };
  const far = links.use(await startGateway({ ...common, gatewayId: "far", bindHost: "127.0.0.1", port: 0 }));
  await far.ready;
  const brokerUrls = [first.url.replace("http", "ws")];
  const near = new DirectoryLink({ ...common, brokerUrls, gatewayId: "near" });
  links.defer(() => near[Symbol.dispose]());
  const { roomId, socket, report } = await joinBy(far.url);
  for (const broker of [first, second])
    await expect.poll(() => wayAt(broker, roomId), patience).toEqual(["far"]);
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
  for (const broker of [first, second])
    await expect.poll(() => wayAt(broker, roomId), patience).toEqual([undefined]);
  socket.close();
}, 120_000);

it("a broker's own gateway has that broker's name", async () => {
  const { roomId, socket } = await joinBy(first.url);
  for (const broker of [first, second])
    await expect.poll(() => wayAt(broker, roomId), patience).toEqual([`broker-${first.brokerId}`]);
  socket.close();
}, 120_000);
