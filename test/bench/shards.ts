/**
 * What a seat and a report cost brokers that share a Redis, all of them together with Redis: with one broker and with three.
 * Hosts are played by this program, which sends what rooms of real players send: reports by the room, to the broker that
 * decides about it.
 */
import { loadavg } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type SeatReservation, shardOf } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { FakeAgent, type FakeRoom } from "../broker/support/fake-agent.js";
import { cpuMsOf, descendants, listener } from "../support/processes.js";
import { TestRedis } from "../support/redis.js";
import { Cli } from "../support/run-cli.js";
import type { BenchOptions } from "./groups.js";
import { type Row, rowOf } from "./row.js";

const PLAIN_ROOMS = join(import.meta.dirname, "../fixtures/plain-rooms");
const TOKEN = "bench-agent-token-0123";
const BROKERS = [1, 3];
const HOSTS = ["a", "b", "c", "d"];
const ROOMS = 40;
const DEFAULT_PLAYERS = 800;
/** Of each player. Programs that have just started are slower for a while: that is not counted. */
const WARM_UP_REPORTS = 5;
const REPORTS = 10;
const REPORTS_PER_TURN = 50;
const TURN_MS = 25;
const AT_ONCE = 16;

interface Player {
  playerId: string;
  playerToken: string;
  sessionId: string;
  room: FakeRoom;
}

/** A room of twenty players, saved. */
const SAVED_BYTES = 6 * 1024;
const SAVES = 50;
/** A player who comes and one who goes, as every broker hears it. */
const VISITS = 5;

/** CPU, µs, of all brokers and Redis together. */
interface Cost {
  seat: number;
  "report by the room": number;
  "report over HTTP": number;
  "room saved": number;
  "player who comes and goes, as hosts tell it": number;
}

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
    return [...rows, rowOf(group, "load average of the machine", "", [loadavg()[0] ?? Number.NaN])];
  });
}

async function measure(brokers: number, count: number): Promise<Cost> {
  await using owned = new DisposalStack();
  const redis = owned.use(await TestRedis.start());
  const cli = owned.use(await Cli.create());
  const urls: string[] = [];
  const pids: number[] = [redisPid(redis.url)];
  for (let at = 0; at < brokers; at++) {
    const args = ["up", "--hosts", "0", "--port", "0", "--no-limits", "--rooms", PLAIN_ROOMS];
    const own = ["--redis", redis.url, "--state-dir", join(cli.folder, `state-${at}`)];
    const up = cli.start([...args, ...own], { CENTROID_AGENT_TOKEN: TOKEN });
    urls.push((await up.says(/(http:\S+)/))[1] ?? "");
    pids.push(up.child.pid ?? 0);
  }
  const cpuUs = (): number => 1_000 * pids.reduce((sum, pid) => sum + cpuMsOf(pid), 0);
  const hosts = new Map<string, FakeAgent[]>();
  for (const hostId of HOSTS) {
    const links: FakeAgent[] = [];
    for (const url of urls)
      links.push(
        await FakeAgent.start({
          url,
          token: TOKEN,
          hostId,
          net: new Map(),
          roomTypes: ["plain"],
          hello: { measures: true },
        }),
      );
    hosts.set(hostId, links);
    owned.defer(async () => {
      for (const link of links) link.disconnect();
    });
  }
  const linksOf = (hostId: string): FakeAgent[] => hosts.get(hostId) ?? [];
  // Every shard is somebody's, and hosts know whose.
  const dealt = (): boolean => new Set(linksOf("a").flatMap(({ shards: own }) => own ?? [])).size === 64;
  while (!dealt()) await sleep(50);

  const rooms: { room: FakeRoom; hostId: string }[] = [];
  for (let at = 0; at < ROOMS; at++) {
    const { roomId, centroid } = await post(`${urls[at % brokers]}/matchmake/create/plain`, {});
    const { hostId } = centroid.host;
    const maker = linksOf(hostId)[at % brokers];
    const room = maker?.rooms.get(roomId);
    if (maker === undefined || room === undefined) throw new Error(`no room ${roomId} at ${hostId}`);
    for (const link of linksOf(hostId)) {
      if (link === maker) continue;
      link.rooms.set(roomId, room);
      link.tell(room, { event: "running", report: maker.report(room) });
    }
    rooms.push({ room, hostId });
  }
  await sleep(1_000);
  const hostOf = new Map(rooms.map(({ room, hostId }) => [room, hostId]));
  const probes = HOSTS.map((hostId, at) => ({ hostId, rttsMs: [20 + at, 21 + at, 20 + at], lost: 0 }));

  const players: Player[] = [];
  const seat = async (at: number): Promise<void> => {
    const { room, hostId } = rooms[at % ROOMS] ?? rooms[0]!;
    const url = `${urls[at % brokers]}/matchmake/joinById/${room.roomId}`;
    const taken = await post(url, { "~centroid": { protocol: 1, probes } });
    const { playerId, playerToken } = taken.centroid;
    room.sessions.set(taken.sessionId, { playerId });
    for (const link of linksOf(hostId))
      link.tell(room, { event: "joined", sessionId: taken.sessionId, playerId });
    players.push({ playerId, playerToken, sessionId: taken.sessionId, room });
  };
  await inTurns(count / 2, seat);
  const beforeSeats = cpuUs();
  await inTurns(count / 2, (at) => seat(at + count / 2));
  await sleep(500);
  const seatUs = (cpuUs() - beforeSeats) / (count / 2);

  const answered = (): number =>
    [...hosts.values()].flat().reduce((sum, link) => sum + link.measure.length, 0);
  const owner = (hostId: string, roomId: string): FakeAgent | undefined =>
    linksOf(hostId).find((link) => link.shards?.includes(shardOf(roomId)));
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
  const beforeReports = cpuUs();
  await all(REPORTS);
  const reportUs = (cpuUs() - beforeReports) / (REPORTS * players.length);

  const http = async (at: number): Promise<void> => {
    const { playerId, playerToken } = players[at % players.length] ?? players[0]!;
    await post(`${urls[at % brokers]}/centroid/v1/probes`, { playerId, playerToken, probes });
  };
  await inTurns(count, http);
  const beforeHttp = cpuUs();
  await inTurns(count, http);
  const httpReportUs = (cpuUs() - beforeHttp) / count;

  const saved = (): number =>
    [...hosts.values()].flat().reduce((sum, { checkpointed }) => sum + checkpointed.length, 0);
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
  const beforeSaves = cpuUs();
  await save(SAVES);
  const saveUs = (cpuUs() - beforeSaves) / (SAVES * rooms.length);

  const visit = async (times: number): Promise<void> => {
    for (let time = 0; time < times; time++)
      for (const [at, { sessionId, playerId, room }] of players.entries()) {
        for (const link of linksOf(hostOf.get(room) ?? "")) {
          link.tell(room, { event: "left", sessionId });
          link.tell(room, { event: "joined", sessionId, playerId });
        }
        if (at % REPORTS_PER_TURN === 0) await sleep(TURN_MS);
      }
    await sleep(1_000);
  };
  await visit(1);
  const beforeVisits = cpuUs();
  await visit(VISITS);
  const visitUs = (cpuUs() - beforeVisits) / (VISITS * players.length);
  const cost: Cost = {
    seat: seatUs,
    "report by the room": reportUs,
    "report over HTTP": httpReportUs,
    "room saved": saveUs,
    "player who comes and goes, as hosts tell it": visitUs,
  };
  console.error({ brokers, ...cost });
  return cost;
}

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
