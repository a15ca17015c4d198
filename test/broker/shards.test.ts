/** Several brokers: who is in a room, and what players measure, is known to the broker that decides about it, and to no other. */
import { type Broker, connectRedis, RedisCluster, RedisStore, startBroker } from "@centroid/broker";
import { type SeatReservation, shardOf } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { pino } from "pino";
import { afterAll, beforeAll, expect, it } from "vitest";
import { TestRedis } from "../support/redis.js";
import { CountingHost } from "./support/counting-host.js";
import type { FakeRoom } from "./support/fake-agent.js";
import { QUICK, until } from "./support/world.js";

const LONG_MS = 60_000;
const logger = pino({ level: "silent" });
const SHARDS = 64;
const owned = new DisposalStack();
let redis: TestRedis;
let members: { broker: Broker; cluster: RedisCluster }[];
let host: CountingHost;
/** It decides about the rooms of each test; the others do not. */
let decider: Broker;
let others: Broker[];

async function member(): Promise<{ broker: Broker; cluster: RedisCluster }> {
  const cluster = owned.use(await RedisCluster.connect({ url: redis.url, logger }));
  const store = new RedisStore(owned.use(await connectRedis(redis.url, logger)), undefined, cluster);
  const broker = owned.use(await startBroker({ ...QUICK, lostAfterMs: LONG_MS, cluster, store }));
  return { broker, cluster };
}

beforeAll(async () => {
  redis = owned.use(await TestRedis.start());
  members = [await member(), await member(), await member()];
  const brokers = members.map(({ broker }) => broker);
  [decider, ...others] = brokers as [Broker, Broker, Broker];
  host = await CountingHost.start(brokers, "a", { maxPlayers: 4 });
  owned.defer(async () => host[Symbol.dispose]());
  await until(isDealt, LONG_MS);
}, LONG_MS);
afterAll(() => owned[Symbol.asyncDispose]());

/** Each broker knows its part, and the host knows whose is which. */
function isDealt(): boolean {
  const shards = host.agents.map((agent) => agent.shards ?? []);
  return shards.every(({ length }) => length > 5) && new Set(shards.flat()).size === SHARDS;
}

/** A room about which the first broker decides, and of which all know. */
async function newRoom(): Promise<FakeRoom> {
  // After Redis stood still shards are given back and taken once more.
  await until(isDealt, LONG_MS);
  const { roomId } = await match(decider, "create", "arena");
  await until(() => host.agents[0]?.shards?.includes(shardOf(roomId)) === true, LONG_MS);
  const room = host.made(roomId);
  await until(() => [decider, ...others].every((broker) => countAt(broker, room) === 0), LONG_MS);
  return room;
}

async function match(
  { url }: Broker,
  method: string,
  target: string,
  options: object = {},
): Promise<SeatReservation> {
  const response = await post(`${url}/matchmake/${method}/${target}`, options);
  if (!response.ok) throw new Error(await response.text());
  return (await response.json()) as SeatReservation;
}

const post = (url: string, body: object): Promise<Response> =>
  fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });

const playersAt = ({ events }: Broker, { roomId }: FakeRoom): string[] =>
  events
    .snapshot()
    .players.filter((player) => player.roomId === roomId)
    .map(({ playerId }) => playerId)
    .toSorted();
const countAt = ({ events }: Broker, { roomId }: FakeRoom): number | undefined =>
  events.snapshot().rooms.find((room) => room.roomId === roomId)?.players;
const sourceAt = ({ events }: Broker, playerId: string): string | undefined =>
  events.snapshot().players.find((player) => player.playerId === playerId)?.latency?.source;
const probes = [{ hostId: "a", rttsMs: [20, 21, 20], lost: 0 }];

it(
  "who comes and goes, and what they measure, is told to the broker that decides; the others count (BRK-5, BRK-6)",
  async () => {
    const room = await newRoom();
    const [joinedBy, third] = others as [Broker, Broker];
    // Who joins by another broker brings measurements with it.
    const seat = await match(joinedBy, "joinById", room.roomId, { "~centroid": { protocol: 1, probes } });
    const { playerId, playerToken } = seat.centroid;
    host.joined(room, seat.sessionId, playerId);
    await until(() => sourceAt(decider, playerId) === "measured", LONG_MS);
    for (const other of others) await until(() => countAt(other, room) === 1, LONG_MS);
    expect(others.flatMap((other) => playersAt(other, room))).toEqual([]);

    // What it measures later is answered by the one that decides.
    host.agents[0]!.tell(room, { event: "measured", sessionId: seat.sessionId, probes });
    await until(() => host.agents[0]!.measure.length > 0, LONG_MS);
    expect([host.agents[1]!.measure, host.agents[2]!.measure]).toEqual([[], []]);

    // Whichever broker it asks what to measure, the one that decides answers.
    const report = { playerId, playerToken, roomId: room.roomId, probes };
    const intervalMs = async (at: Broker): Promise<number> => {
      const answer = await (await post(`${at.url}/centroid/v1/probes`, report)).json();
      return (answer as { intervalMs: number }).intervalMs;
    };
    const first = await intervalMs(decider);
    expect(await intervalMs(joinedBy)).toBeGreaterThan(first);
    expect(await intervalMs(third)).toBe(30_000);
    // Of nobody's room nothing is known.
    const lost = await post(`${third.url}/centroid/v1/probes`, { ...report, roomId: undefined });
    expect(lost.status).toBe(404);

    // A reservation is over once its session is counted, so a full room is full for every broker, and no sooner.
    const more: string[] = [];
    for (let at = 0; at < 3; at++) {
      const { sessionId, centroid } = await match(others[at % 2]!, "joinById", room.roomId);
      host.joined(room, sessionId, centroid.playerId);
      more.push(sessionId);
    }
    for (const broker of [decider, ...others]) await until(() => countAt(broker, room) === 4, LONG_MS);
    for (const broker of [decider, ...others])
      await expect(match(broker, "joinById", room.roomId)).rejects.toThrow(/no free seat/);
    host.left(room, more[0]!);
    for (const broker of others) await until(() => countAt(broker, room) === 3, LONG_MS);
    expect((await match(third, "joinById", room.roomId)).roomId).toBe(room.roomId);
  },
  3 * LONG_MS,
);

it(
  "a broker that gives a room back knows its players by their number, and all of them again when it decides anew",
  async () => {
    const room = await newRoom();
    const { sessionId, centroid } = await match(decider, "joinById", room.roomId);
    host.joined(room, sessionId, centroid.playerId);
    await until(() => playersAt(decider, room).length === 1, LONG_MS);
    // Nobody renews a lease while Redis stands still.
    redis.kill("SIGSTOP");
    await until(() => host.agents.every(({ shards }) => shards?.length === 0), LONG_MS);
    expect([countAt(decider, room), playersAt(decider, room)]).toEqual([1, []]);
    host.left(room, sessionId);
    host.joined(room, "newcomer", "somebody");
    redis.kill("SIGCONT");
    await until(isDealt, LONG_MS);
    await until(() => playersAt(decider, room).includes("somebody"), LONG_MS);
    expect([countAt(decider, room), playersAt(decider, room)]).toEqual([1, ["somebody"]]);
  },
  3 * LONG_MS,
);

it(
  "whoever takes over from a broker that died learns who is there from the host, and has them measure (BRK-6)",
  async () => {
    const room = await newRoom();
    const [joinedBy] = others as [Broker, Broker];
    const seats = [
      await match(decider, "joinById", room.roomId),
      await match(joinedBy, "joinById", room.roomId),
    ];
    for (const { sessionId, centroid } of seats) host.joined(room, sessionId, centroid.playerId);
    await until(() => playersAt(decider, room).length === 2, LONG_MS);
    for (const other of others) await until(() => countAt(other, room) === 2, LONG_MS);
    expect(others.flatMap((other) => playersAt(other, room))).toEqual([]);

    const [dead] = members as [(typeof members)[0]];
    dead.cluster.abandon();
    await dead.broker[Symbol.asyncDispose]();
    const [gone] = host.agents.splice(0, 1);
    gone?.disconnect();
    // Who comes while nobody decides is named to whoever does then.
    const late = await match(joinedBy, "joinById", room.roomId);
    host.joined(room, late.sessionId, late.centroid.playerId);
    host.left(room, seats[0]!.sessionId);
    const there = [seats[1]!, late].map(({ centroid }) => centroid.playerId).toSorted();
    await until(() => others.some((other) => playersAt(other, room).length === 2), LONG_MS);
    const heir = others.find((other) => playersAt(other, room).length > 0)!;
    expect(playersAt(heir, room)).toEqual(there);
    expect(countAt(heir, room)).toBe(2);
    const asked = (): (string | undefined)[] =>
      host.decider(room.roomId)?.measure.map(({ sessionId }) => sessionId) ?? [];
    await until(() => [seats[1]!, late].every(({ sessionId }) => asked().includes(sessionId)), LONG_MS);

    // The other one goes on counting, and names all to whoever watches.
    const counts = others.find((other) => other !== heir)!;
    await until(() => countAt(counts, room) === 2, LONG_MS);
    expect(playersAt(counts, room)).toEqual([]);
    const seen: string[] = [];
    const end = counts.events.subscribe((event) => {
      if (event.type === "player") seen.push(event.player.playerId);
    });
    await until(() => there.every((playerId) => seen.includes(playerId)), LONG_MS);
    expect(playersAt(counts, room)).toEqual(there);
    end();
    await until(() => playersAt(counts, room).length === 0, LONG_MS);
    expect(countAt(counts, room)).toBe(2);
  },
  3 * LONG_MS,
);
