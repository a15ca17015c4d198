/**
 * Bots play while parts of a distributed deployment are killed, stopped and started again in an order that a seed
 * decides. What must hold then: every session lives on, everything said was heard once and in order, every room is
 * on one host, no move is left open, and at the end no process, lease, room or checkpoint is left behind.
 */
import { createClient } from "redis";
import { Draw } from "../support/draw.js";
import { mentioning } from "../support/processes.js";
import { Talker } from "./talker.js";
import { ADMIN_TOKEN, ChaosWorld } from "./world.js";

export interface ChaosOptions {
  seed: number;
  forMs: number;
  brokers?: number;
  hosts?: number;
  rooms?: number;
  playersPerRoom?: number;
  say?: (line: string) => void;
}

export interface ChaosResult {
  seed: number;
  faults: Record<string, number>;
  players: number;
  said: number;
  moves: number;
  restored: number;
  violations: string[];
}

/** Between two faults there is time to recover from one; the second may well come in the middle of it. */
const PAUSE_MS = { least: 1_000, most: 4_000 };
/** What is not right by then after the last fault will not become so. */
const SETTLE_MS = 60_000;
const POLL_MS = 100;

/** Rooms are made of these in turn: one that is saved now and then, one with a warm standby. */
const ROOM_TYPES = ["ledger", "vault"];

export async function chaos(options: ChaosOptions): Promise<ChaosResult> {
  const world = await ChaosWorld.start(options.brokers ?? 2, options.hosts ?? 3);
  let result: ChaosResult;
  try {
    result = await trouble(world, options);
  } finally {
    await world[Symbol.asyncDispose]();
  }
  const left = (): { pid: number; name: string }[] => mentioning(world.mark);
  if (!(await until(() => left().length === 0, 5_000)))
    for (const { pid, name } of left()) result.violations.push(`process ${pid} is left behind: ${name}`);
  return result;
}

async function trouble(world: ChaosWorld, options: ChaosOptions): Promise<ChaosResult> {
  const { seed, forMs, brokers = 2, rooms = 2, playersPerRoom = 2, say = () => undefined } = options;
  const draw = new Draw(seed);
  const talkers: Talker[] = [];
  try {
    for (let room = 0; room < rooms; room++) {
      const type = ROOM_TYPES[room % ROOM_TYPES.length] ?? "ledger";
      const first = await Talker.join(world.urls, `p${room}-0`, { type });
      talkers.push(first);
      for (let player = 1; player < playersPerRoom; player++)
        talkers.push(await Talker.join(world.urls, `p${room}-${player}`, first));
    }
    const redis = connection(world.redis.url);
    redis.on("error", () => undefined);
    await redis.connect();
    const roomIds = [...new Set(talkers.map(({ roomId }) => roomId))];
    await until(async () => {
      const saved = await Promise.all(roomIds.map((id) => redis.exists(`centroid:checkpoint:${id}`)));
      return saved.every((count) => count === 1);
    });

    const hostIds = [...world.agents.keys()];
    const faults: Record<string, () => Promise<unknown>> = {
      "broker killed": () => world.restartBroker(draw.below(brokers)),
      "broker stopped": () => world.pause(draw.of(world.brokers).child.pid ?? -1, 500 + draw.unit() * 2_500),
      "host killed": () => world.restartAgent(draw.of(hostIds)),
      "host stopped": () =>
        world.pause(world.agents.get(draw.of(hostIds))?.pid ?? -1, 500 + draw.unit() * 5_500),
      "room host killed": async () => world.killRoomHost(draw.of(hostIds)),
      "Redis stopped": async () => {
        world.redis.kill("SIGSTOP");
        await new Promise((resolve) => setTimeout(resolve, 300 + draw.unit() * 1_500));
        world.redis.kill("SIGCONT");
      },
      "Redis restarted": () => world.redis.restart(),
      "room moved": () => move(draw.of(world.urls), draw.of(roomIds), draw.of(hostIds)),
    };
    const counts: Record<string, number> = {};
    const endsAt = Date.now() + forMs;
    while (Date.now() < endsAt) {
      const name = draw.of(Object.keys(faults));
      counts[name] = (counts[name] ?? 0) + 1;
      say(name);
      await faults[name]?.();
      await new Promise((resolve) =>
        setTimeout(resolve, PAUSE_MS.least + draw.unit() * (PAUSE_MS.most - PAUSE_MS.least)),
      );
    }

    for (const talker of talkers) talker.quiet();
    const violations: string[] = [];
    const complete = await until(
      () => talkers.every((talker) => talker.heard.count === talker.said),
      SETTLE_MS,
    );
    for (const [at, { said, heard, ended }] of talkers.entries()) {
      if (ended !== undefined) violations.push(ended);
      if (heard.disorder > 0) violations.push(`player ${at}: ${heard.disorder} out of order`);
      if (!complete && heard.count !== said)
        violations.push(`player ${at}: said ${said}, heard ${heard.count}`);
    }
    const oneOwner = await until(
      async () => (await placed(world.urls[0] ?? "")) === roomIds.length,
      SETTLE_MS,
    );
    if (!oneOwner) violations.push("hosts have more or fewer rooms than there are");
    const journalEmpty = await until(async () => (await redis.hLen("centroid:open")) === 0, SETTLE_MS);
    if (!journalEmpty) violations.push("a move is still open in the journal");
    await Promise.all(talkers.map((talker) => talker.leave()));
    for (const [what, gone] of Object.entries(leftovers(redis, brokers)))
      if (!(await until(gone, SETTLE_MS))) violations.push(what);
    redis.destroy();
    return {
      seed,
      faults: counts,
      players: talkers.length,
      said: talkers.reduce((sum, { said }) => sum + said, 0),
      moves: talkers.reduce((sum, { moves }) => sum + moves, 0),
      restored: talkers.reduce((sum, { restored }) => sum + restored, 0),
      violations,
    };
  } finally {
    for (const talker of talkers) talker[Symbol.dispose]();
  }
}

const connection = (url: string) => createClient({ url });

/** What must be true of Redis once everybody has left. */
function leftovers(
  redis: ReturnType<typeof connection>,
  brokers: number,
): Record<string, () => Promise<boolean>> {
  return {
    "a broker that died still has a lease": async () => (await redis.zCard("centroid:brokers")) === brokers,
    "a shard is held by nobody or by a broker that died": async () => {
      const living = new Set(await redis.zRange("centroid:brokers", 0, -1));
      const shards = Object.values(await redis.hGetAll("centroid:shards"));
      return shards.length > 0 && shards.every((held) => living.has(held.slice(0, held.lastIndexOf(" "))));
    },
    "a room is on record that nobody is in": async () => (await redis.hLen("centroid:rooms")) === 0,
    "a checkpoint is left of a room that ended": async () =>
      (await redis.keys("centroid:checkpoint:*")).length === 0,
  };
}

/** Refused orders (a host that is away, a room that moves already) are part of it. */
async function move(url: string, roomId: string, hostId: string): Promise<void> {
  await fetch(`${url}/api/v1/rooms/${roomId}/move`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
    body: JSON.stringify({ hostId }),
    signal: AbortSignal.timeout(10_000),
  }).catch(() => undefined);
}

/** Rooms that the hosts say they run, in all. */
async function placed(url: string): Promise<number> {
  const hosts = (await (await fetch(`${url}/api/v1/hosts`)).json()) as { rooms: number }[];
  return hosts.reduce((sum, { rooms }) => sum + rooms, 0);
}

async function until(condition: () => boolean | Promise<boolean>, withinMs = 30_000): Promise<boolean> {
  const endsAt = Date.now() + withinMs;
  while (Date.now() < endsAt) {
    if (await Promise.resolve(condition()).catch(() => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return false;
}
