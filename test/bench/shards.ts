/**
 * What a seat and a report cost brokers that share a Redis, all of them together with Redis: with one broker and with three.
 * Hosts are played by this program, which sends what rooms of real players send: reports by the room, to the broker that
 * decides about it.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { SeatReservation } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { CountingHost } from "../broker/support/counting-host.js";
import type { FakeAgent, FakeRoom } from "../broker/support/fake-agent.js";
import { cpuMsOf, descendants, listener } from "../support/processes.js";
import { TestRedis } from "../support/redis.js";
import { Cli } from "../support/run-cli.js";
import type { BenchOptions } from "./groups.js";
import { type Row, rowOf } from "./row.js";

const TOKEN = "bench-agent-token-0123";
const BROKERS = [1, 3];
const HOSTS = ["a", "b", "c", "d"];
const ROOMS = 40;
const DEFAULT_PLAYERS = 2_400;
const IDLE_MS = 4_000;
/** Of each player. Programs that have just started are slower for a while: that is not counted. */
const WARM_UP_REPORTS = 5;
const REPORTS = 10;
const REPORTS_PER_TURN = 50;
const TURN_MS = 25;
const AT_ONCE = 16;
/** By then hosts have said how many came. */
const COUNTED_MS = 1_200;

interface Player {
  playerId: string;
  playerToken: string;
  sessionId: string;
  room: FakeRoom;
}

/** A room of twenty players, saved. */
const SAVED_BYTES = 6 * 1024;
const SAVES = 50;
/** A player who comes and one who goes. */
const VISITS = 5;

/** CPU, µs, of all brokers and Redis together; all but the first without what they use when nothing happens. */
interface Cost {
  "second in which nothing happens": number;
  seat: number;
  "report by the room": number;
  "report over HTTP": number;
  "room saved": number;
  "player who comes and goes, as hosts tell it": number;
}

const IDLE = "second in which nothing happens" satisfies keyof Cost;
const COSTS = [
  "seat",
  "report by the room",
  "report over HTTP",
  "room saved",
  "player who comes and goes, as hosts tell it",
] as const satisfies (keyof Cost)[];

export async function shards({ players = [DEFAULT_PLAYERS], runs = 1 }: BenchOptions): Promise<Row[]> {
  const [count = DEFAULT_PLAYERS] = players;
  const costs = new Map<number, Cost[]>(BROKERS.map((brokers) => [brokers, []]));
  for (let run = 0; run < runs; run++)
    for (const [brokers, measured] of costs) measured.push(await measure(brokers, count));
  const alone = costs.get(1) ?? [];
  return [...costs].flatMap(([brokers, measured]) => {
    const group = `${brokers} ${brokers === 1 ? "broker" : "brokers"} on one Redis, ${count} players, ${ROOMS} rooms`;
    const rows = COSTS.flatMap((what): Row[] => {
      const absolute = rowOf(
        group,
        `CPU per ${what}`,
        "µs",
        measured.map((cost) => cost[what]),
      );
      if (brokers === 1) return [absolute];
      const ratios = measured.map((cost, at) => cost[what] / (alone[at]?.[what] ?? Number.NaN));
      return [
        absolute,
        { ...rowOf(group, `CPU per ${what}, relative to one broker`, "x", ratios), aim: { max: 1.2 } },
      ];
    });
    const idle = measured.map((cost) => cost[IDLE]);
    return [
      ...rows,
      rowOf(group, `CPU per ${IDLE}`, "µs", idle),
      rowOf(group, "load average of the machine", "", [loadavg()[0] ?? Number.NaN]),
    ];
  });
}

async function measure(brokers: number, count: number): Promise<Cost> {
  await using owned = new DisposalStack();
  const redis = owned.use(await TestRedis.start());
  const cli = owned.use(await Cli.create());
  const urls: string[] = [];
  const pids: number[] = [redisPid(redis.url)];
  for (let at = 0; at < brokers; at++) {
    const args = ["up", "--hosts", "0", "--port", "0", "--no-limits"];
    const own = ["--redis", redis.url, "--state-dir", join(cli.folder, `state-${at}`)];
    const up = cli.start([...args, ...own], { CENTROID_AGENT_TOKEN: TOKEN });
    urls.push((await up.says(/(http:\S+)/))[1] ?? "");
    pids.push(up.child.pid ?? 0);
  }
  const cpuUs = (): number => 1_000 * pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  let idleUs = 0;
  /** What that costs beyond what goes on all the time: heartbeats, leases, sweeps. */
  const spent = async (work: () => Promise<unknown>): Promise<number> => {
    const [beforeUs, beganAtMs] = [cpuUs(), performance.now()];
    await work();
    return cpuUs() - beforeUs - (idleUs * (performance.now() - beganAtMs)) / 1_000;
  };
  const hosts = new Map<string, CountingHost>();
  for (const hostId of HOSTS) {
    const brokers = urls.map((url) => ({ url, agentToken: TOKEN }));
    const host = await CountingHost.start(brokers, hostId, { roomTypes: ["plain"] });
    hosts.set(hostId, host);
    owned.defer(async () => host[Symbol.dispose]());
  }
  const hostAt = (hostId: string): CountingHost => hosts.get(hostId) ?? fail(hostId);
  const links = (): FakeAgent[] => [...hosts.values()].flatMap(({ agents }) => agents);
  // Every shard is somebody's, and hosts know whose.
  const dealt = (): boolean =>
    new Set(hostAt("a").agents.flatMap(({ shards: own }) => own ?? [])).size === 64;
  while (!dealt()) await sleep(50);

  const rooms: { room: FakeRoom; hostId: string }[] = [];
  for (let at = 0; at < ROOMS; at++) {
    const { roomId, centroid } = await post(`${urls[at % brokers]}/matchmake/create/plain`, {});
    const { hostId } = centroid.host;
    rooms.push({ room: hostAt(hostId).made(roomId), hostId });
  }
  await sleep(1_000);
  idleUs = (await spent(() => sleep(IDLE_MS))) / (IDLE_MS / 1_000);
  const hostOf = new Map(rooms.map(({ room, hostId }) => [room, hostId]));
  const probes = HOSTS.map((hostId, at) => ({ hostId, rttsMs: [20 + at, 21 + at, 20 + at], lost: 0 }));

  const players: Player[] = [];
  const seat = async (at: number): Promise<void> => {
    const { room, hostId } = rooms[at % ROOMS] ?? rooms[0]!;
    const url = `${urls[at % brokers]}/matchmake/joinById/${room.roomId}`;
    const taken = await post(url, { "~centroid": { protocol: 1, probes } });
    const { playerId, playerToken } = taken.centroid;
    hostAt(hostId).joined(room, taken.sessionId, playerId);
    players.push({ playerId, playerToken, sessionId: taken.sessionId, room });
  };
  await inTurns(count / 2, seat);
  const seatsUs = await spent(async () => {
    await inTurns(count / 2, (at) => seat(at + count / 2));
    await sleep(COUNTED_MS);
  });

  const answered = (): number => links().reduce((sum, link) => sum + link.measure.length, 0);
  const owner = (hostId: string, roomId: string): FakeAgent | undefined => hostAt(hostId).decider(roomId);
  const report = ({ room, sessionId }: Player): void =>
    owner(hostOf.get(room) ?? "", room.roomId)?.tell(room, { event: "measured", sessionId, probes });
  const all = async (times: number): Promise<void> => {
    const until = answered() + times * players.length;
    let sent = 0;
    for (let time = 0; time < times; time++)
      for (const player of players) {
        report(player);
        if (++sent % REPORTS_PER_TURN === 0) await sleep(TURN_MS);
      }
    while (answered() < until) await sleep(TURN_MS);
  };
  await all(WARM_UP_REPORTS);
  const reportsUs = await spent(() => all(REPORTS));

  const http = async (at: number): Promise<void> => {
    const { playerId, playerToken, room } = players[at % players.length] ?? players[0]!;
    const { roomId } = room;
    await post(`${urls[at % brokers]}/centroid/v1/probes`, { playerId, playerToken, roomId, probes });
  };
  await inTurns(count, http);
  const httpReportsUs = await spent(() => inTurns(count, http));

  const saved = (): number => links().reduce((sum, { checkpointed }) => sum + checkpointed.length, 0);
  const data = Buffer.alloc(SAVED_BYTES, "centroid").toString("base64");
  let seq = 0;
  const save = async (times: number): Promise<void> => {
    const until = saved() + times * rooms.length;
    for (let time = 0; time < times; time++) {
      seq++;
      for (const { room, hostId } of rooms) {
        const { roomId, epoch } = room;
        owner(hostId, roomId)?.raw(
          JSON.stringify({ type: "checkpoint", roomId, epoch, seq, takenAtMs: 0, data }),
        );
      }
      await sleep(TURN_MS);
    }
    while (saved() < until) await sleep(TURN_MS);
  };
  await save(SAVES / 5);
  const savesUs = await spent(() => save(SAVES));

  const visit = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++)
      for (const [at, { sessionId, playerId, room }] of players.entries()) {
        const host = hostAt(hostOf.get(room) ?? "");
        host.left(room, sessionId);
        host.joined(room, sessionId, playerId);
        if (at % REPORTS_PER_TURN === 0) await sleep(TURN_MS);
      }
    await sleep(COUNTED_MS);
  };
  await visit(1);
  const visitsUs = await spent(() => visit(VISITS));
  const cost: Cost = {
    [IDLE]: idleUs,
    seat: seatsUs / (count / 2),
    "report by the room": reportsUs / (REPORTS * players.length),
    "report over HTTP": httpReportsUs / count,
    "room saved": savesUs / (SAVES * rooms.length),
    "player who comes and goes, as hosts tell it": visitsUs / (VISITS * players.length),
  };
  console.error({ brokers, ...cost });
  return cost;
}

const fail = (hostId: string): never => {
  throw new Error(`no host ${hostId}`);
};

async function inTurns(count: number, one: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  await Promise.all(
    Array.from({ length: AT_ONCE }, async () => {
      while (next < count) await one(next++);
    }),
  );
}

async function post(url: string, body: object): Promise<SeatReservation> {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as SeatReservation;
}

/** Of the Redis of ours that listens at this URL. */
function redisPid(url: string): number {
  const pid = listener(descendants(process.pid), Number(new URL(url).port));
  if (pid === undefined) throw new Error(`no process of ours listens at ${url}`);
  return pid;
}
