/** Node's Redis client for one server, for Sentinels and for a cluster, behind the one interface that brokers use. */
import { CentroidError } from "@centroid/protocol";
import { createClient, createCluster, createSentinel } from "redis";
import type { Logger } from "../base/logger.js";
import type { RedisAddress } from "./address.js";
import { COMMAND_TIMEOUT_MS } from "./answered.js";
import type { RedisDriver } from "./connection.js";

/** Time for a Redis to take the connection, and behind Sentinels or in a cluster to be found first. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Sentinels say by themselves when something changes; by then what they said is asked for again. */
const SENTINEL_SCAN_MS = 2_000;
/** Of Redis' own protocol: answers are arrays, not maps. */
const RESP = 2;

/**
 * Connects, and finds the master or the nodes where there are several.
 * @throws Error of the driver's own, or one that says what was not found
 */
export function openDriver(address: RedisAddress, logger: Logger): Promise<RedisDriver> {
  switch (address.kind) {
    case "single":
      return single(address, logger);
    case "sentinel":
      return watched(address, logger);
    case "cluster":
      return clustered(address, logger);
    default: {
      const never: never = address;
      throw new CentroidError("INTERNAL", `unknown address ${String(never)}`);
    }
  }
}

const defined = <T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };

const socketOf = ({ tls }: RedisAddress) =>
  tls ? ({ connectTimeout: COMMAND_TIMEOUT_MS, tls: true } as const) : { connectTimeout: COMMAND_TIMEOUT_MS };

const report = (logger: Logger) => (cause: unknown) =>
  logger.warn(
    { cause: cause instanceof Error ? cause : new Error(String(cause)) },
    "connection to Redis broke",
  );

async function single(address: RedisAddress & { kind: "single" }, logger: Logger): Promise<RedisDriver> {
  let connected = false;
  const { username, password, database } = address;
  const client = createClient({
    RESP,
    database,
    ...defined({ username, password }),
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    socket: {
      ...address.nodes[0],
      ...socketOf(address),
      // The first connection is refused at once; a lost one is dialled again for as long as it takes.
      reconnectStrategy: (retries: number, cause: Error) =>
        connected ? Math.min(50 * 2 ** retries, 500) : cause,
    },
  });
  client.on("error", (cause: unknown) => {
    if (connected) report(logger)(cause);
  });
  await inTime(client.connect(), async () => end(client));
  connected = true;
  const subscriber = client.duplicate();
  subscriber.on("error", report(logger));
  return {
    commands: client,
    eval: (script, options) => client.eval(script, options),
    pipeline(_key, commands) {
      const multi = client.multi();
      for (const command of commands) multi.addCommand(command);
      return multi.execAsPipeline();
    },
    async subscribe(channel, listener) {
      if (!subscriber.isOpen) await subscriber.connect();
      await subscriber.subscribe(channel, listener);
    },
    isReady: () => client.isReady,
    async destroy() {
      for (const one of [client, subscriber]) end(one);
    },
  };
}

/** What of a client its end needs. */
interface Endable {
  readonly isOpen: boolean;
  destroy(): void;
  unref(): void;
  on(event: "connect", listener: () => void): unknown;
}

/** Ends a client. One that is just dialling opens that connection all the same: no process is to stay alive for it. */
function end(client: Endable): void {
  client.on("connect", () => client.unref());
  if (client.isOpen) client.destroy();
}

async function watched(address: RedisAddress & { kind: "sentinel" }, logger: Logger): Promise<RedisDriver> {
  const { name, nodes, username, password, database, sentinelUsername, sentinelPassword } = address;
  const socket = socketOf(address);
  await assertWatched(address);
  const sentinel = createSentinel({
    RESP,
    name,
    sentinelRootNodes: [...nodes],
    scanInterval: SENTINEL_SCAN_MS,
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    nodeClientOptions: { socket, database, ...defined({ username, password }) },
    sentinelClientOptions: { socket, ...defined({ username: sentinelUsername, password: sentinelPassword }) },
  });
  sentinel.on("error", report(logger));
  await inTime(sentinel.connect(), () => sentinel.destroy());
  return {
    commands: sentinel,
    eval: (script, options) => sentinel.eval(script, options),
    pipeline(_key, commands) {
      const multi = sentinel.multi();
      for (const command of commands) multi.addCommand(false, command);
      return multi.execAsPipeline();
    },
    async subscribe(channel, listener) {
      await sentinel.subscribe(channel, listener);
    },
    isReady: () => sentinel.isReady,
    async destroy() {
      if (sentinel.isOpen) await sentinel.destroy();
    },
  };
}

/** @throws Error saying why no Sentinel leads to a master */
async function assertWatched(address: RedisAddress & { kind: "sentinel" }): Promise<void> {
  const { name, nodes, sentinelUsername, sentinelPassword } = address;
  let failure: unknown;
  for (const node of nodes) {
    const client = createClient({
      RESP,
      ...defined({ username: sentinelUsername, password: sentinelPassword }),
      socket: { ...node, ...socketOf(address), reconnectStrategy: false },
    });
    client.on("error", () => undefined);
    try {
      await client.connect();
      const master = await client.sendCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", name]);
      if (master !== null) return;
      failure = new Error(`its Sentinels know no master "${name}"`);
    } catch (cause) {
      failure ??= cause;
    } finally {
      end(client);
    }
  }
  throw failure;
}

async function clustered(address: RedisAddress & { kind: "cluster" }, logger: Logger): Promise<RedisDriver> {
  const { nodes, username, password } = address;
  const socket = socketOf(address);
  const cluster = createCluster({
    RESP,
    rootNodes: nodes.map((node) => ({ socket: { ...node, ...socket } })),
    commandOptions: { timeout: COMMAND_TIMEOUT_MS },
    defaults: { socket, ...defined({ username, password }) },
  });
  cluster.on("error", report(logger));
  await inTime(cluster.connect(), async () => cluster.destroy());
  return {
    commands: cluster,
    eval: (script, options) => cluster.eval(script, options),
    async pipeline(key, commands) {
      const multi = cluster.multi(key);
      for (const command of commands) multi.addCommand(key, false, [...command]);
      try {
        return await multi.execAsPipeline();
      } catch (cause) {
        // A single command finds out who has the key by now; the next ones go there.
        if (cause instanceof Error && /^(MOVED|READONLY)/.test(cause.message)) await cluster.exists(key);
        throw cause;
      }
    },
    subscribe: (channel, listener) => cluster.subscribe(channel, listener),
    isReady: () => cluster.isReady,
    async destroy() {
      if (cluster.isOpen) cluster.destroy();
    },
  };
}

async function inTime(connecting: Promise<unknown>, giveUp: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), CONNECT_TIMEOUT_MS);
  });
  try {
    await Promise.race([connecting, late]);
  } catch (cause) {
    void giveUp().catch(() => undefined);
    connecting.catch(() => undefined);
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}
