/** What must be true of a deployment's books: while its rooms run, and once everybody has left. */
import { createClient } from "redis";
import { ADMIN_TOKEN, type ChaosWorld } from "./world.js";

export interface Expectation {
  /** What is wrong if it does not become true. */
  readonly otherwise: string;
  readonly holds: () => Promise<boolean>;
}

async function get<T>(world: ChaosWorld, path: string, url = world.urls[0]): Promise<T> {
  const response = await fetch(`${url}/api/v1${path}`, {
    headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    signal: AbortSignal.timeout(2_000),
  });
  return (await response.json()) as T;
}

const roomsOnHosts = async (world: ChaosWorld): Promise<number> =>
  (await get<{ rooms: number }[]>(world, "/hosts")).reduce((sum, { rooms }) => sum + rooms, 0);

/** What each broker takes to be true, for whoever looks for the cause of a violation. */
export function beliefs(world: ChaosWorld): Promise<string[]> {
  const told = world.brokers.map(async ({ url, port }) => {
    try {
      const [rooms, hosts] = await Promise.all([
        get<object[]>(world, "/rooms", url),
        get<object[]>(world, "/hosts", url),
      ]);
      return [...rooms, ...hosts].map((thing) => `broker ${port} has ${JSON.stringify(thing)}`);
    } catch (cause) {
      return [`broker ${port} does not answer: ${String(cause)}`];
    }
  });
  return Promise.all(told).then((lines) => lines.flat());
}

export function whileRoomsRun(world: ChaosWorld, rooms: number): Expectation[] {
  return [
    {
      otherwise: "hosts have more or fewer rooms than there are",
      holds: async () => (await roomsOnHosts(world)) === rooms,
    },
    {
      otherwise: "a room is not running",
      holds: async () => {
        const states = (await get<{ state: string }[]>(world, "/rooms")).map(({ state }) => state);
        return states.length === rooms && states.every((state) => state === "running");
      },
    },
  ];
}

/** With a Redis its content is looked at too. */
export async function onceAllHaveLeft(world: ChaosWorld): Promise<Expectation[] & AsyncDisposable> {
  const expectations: Expectation[] = [
    {
      otherwise: "a room is on record that nobody is in",
      holds: async () => (await get<unknown[]>(world, "/rooms")).length === 0,
    },
    {
      otherwise: "a host has a room that nobody is in",
      holds: async () => (await roomsOnHosts(world)) === 0,
    },
  ];
  if (world.redis === undefined)
    return Object.assign(expectations, { [Symbol.asyncDispose]: async () => {} });
  const redis = createClient({ url: world.redis.url });
  redis.on("error", () => undefined);
  await redis.connect();
  expectations.push(
    {
      otherwise: "a move is still open in the journal",
      holds: async () => (await redis.hLen("centroid:open")) === 0,
    },
    {
      otherwise: "a broker that died still has a lease",
      holds: async () => (await redis.zCard("centroid:brokers")) === world.brokers.length,
    },
    {
      otherwise: "a shard is held by nobody or by a broker that died",
      holds: async () => {
        const living = new Set(await redis.zRange("centroid:brokers", 0, -1));
        const shards = Object.values(await redis.hGetAll("centroid:shards"));
        return shards.length > 0 && shards.every((held) => living.has(held.slice(0, held.lastIndexOf(" "))));
      },
    },
    {
      otherwise: "a room is in Redis that nobody is in",
      holds: async () => (await redis.hLen("centroid:rooms")) === 0,
    },
    {
      otherwise: "a checkpoint is left of a room that ended",
      holds: async () => (await redis.keys("centroid:checkpoint:*")).length === 0,
    },
  );
  return Object.assign(expectations, { [Symbol.asyncDispose]: async () => redis.destroy() });
}
