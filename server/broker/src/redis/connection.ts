/** A connection to Redis, however it is set up: refused with a reason at the start, kept up for as long as it takes later. */
import { CentroidError } from "@centroid/protocol";
import { createClient, createCluster, createSentinel } from "redis";
import type { Logger } from "../base/logger.js";
import { parseRedisAddress, type RedisAddress, shownAddress } from "./address.js";
import { answered, COMMAND_TIMEOUT_MS } from "./answered.js";
import { GroupCommit, type ScriptCall } from "./group-commit.js";

/** Time for a Redis behind Sentinels or in a cluster to be found. */
const CONNECT_TIMEOUT_MS = 5_000;
/** Sentinels say by themselves when something changes; by then what they said is asked for again. */
const SENTINEL_SCAN_MS = 2_000;
/** Of Redis' own protocol: answers are arrays, not maps. */
const RESP = 2;

/** The commands that are used, the same on every kind of Redis. */
export interface RedisCommands {
  del(key: string): Promise<number>;
  hDel(key: string, fields: string | string[]): Promise<number>;
  hGet(key: string, field: string): Promise<string | null>;
  hGetAll(key: string): Promise<Record<string, string>>;
  hmGet(key: string, fields: string[]): Promise<(string | null)[]>;
  hSetNX(key: string, field: string, value: string): Promise<number>;
  hVals(key: string): Promise<string[]>;
  publish(channel: string, message: string): Promise<number>;
  set(
    key: string,
    value: string,
    options: { expiration: { type: "PX"; value: number }; condition?: "NX" },
  ): Promise<string | null>;
  zAdd(key: string, member: { score: number; value: string }): Promise<number>;
  zRange(
    key: string,
    min: string | number,
    max: string | number,
    options?: { BY?: "SCORE"; REV?: true; LIMIT?: { offset: number; count: number } },
  ): Promise<string[]>;
  zRem(key: string, members: string[]): Promise<number>;
  zRemRangeByRank(key: string, start: number, stop: number): Promise<number>;
}

/** What differs between one server, Sentinels and a cluster. */
interface Driver {
  readonly commands: RedisCommands;
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>;
  /** All over one connection to whoever has the key. */
  pipeline(key: string, commands: readonly string[][]): Promise<readonly unknown[]>;
  subscribe(channel: string, listener: (message: string) => void): Promise<void>;
  isReady(): boolean;
  destroy(): Promise<void>;
}

export class RedisConnection implements AsyncDisposable {
  readonly commands: RedisCommands;
  readonly #driver: Driver;
  readonly #address: RedisAddress;
  readonly #commits = new Map<string, GroupCommit>();

  constructor(address: RedisAddress, driver: Driver) {
    this.commands = answering(driver.commands);
    this.#driver = driver;
    this.#address = address;
  }

  get isReady(): boolean {
    return this.#driver.isReady();
  }

  /** A key that one script uses together with others of the same group: in a cluster all of a group are on one node. */
  key(prefix: string, name: string, group = ""): string {
    return this.#address.kind === "cluster" ? `{${prefix}${group}}${name}` : prefix + name;
  }

  /**
   * One step inside Redis. Resolves when as many replicas have it as `--redis` asks for.
   * @throws CentroidError STORE_UNAVAILABLE
   */
  async script({ script, keys, args }: ScriptCall): Promise<unknown> {
    const [first = ""] = keys;
    if (this.#address.replicas === 0)
      return answered(this.#driver.eval(script, { keys: [...keys], arguments: [...args] }));
    const group = this.#address.kind === "cluster" ? (first.match(/\{.*?\}/)?.[0] ?? first) : "";
    let commit = this.#commits.get(group);
    if (commit === undefined) {
      commit = new GroupCommit((commands) => this.#driver.pipeline(first, commands), this.#address.replicas);
      this.#commits.set(group, commit);
    }
    try {
      return await commit.run({ script, keys, args });
    } finally {
      if (commit.idle) this.#commits.delete(group);
    }
  }

  /** Goes on after a failover, with what is published from then on. */
  subscribe(channel: string, listener: (message: string) => void): Promise<void> {
    return this.#driver.subscribe(channel, listener);
  }

  async destroy(): Promise<void> {
    await this.#driver.destroy();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.destroy();
  }
}

/** The same commands, each failing as {@link answered} says. */
function answering(commands: RedisCommands): RedisCommands {
  return new Proxy(commands, {
    get(target, name) {
      const command = Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>;
      return (...args: unknown[]) => answered(command.apply(target, args));
    },
  });
}

/**
 * @param url `redis://`, `redis+sentinel://` or `redis+cluster://`; see {@link parseRedisAddress}
 * @throws CentroidError CONFIG_INVALID if the URL is none or nothing answers there
 */
export async function connectRedis(url: string, logger: Logger): Promise<RedisConnection> {
  const address = parseRedisAddress(url);
  try {
    const driver = await connect(address, logger);
    try {
      // A server that wants a password takes the connection and refuses the first command.
      await driver.commands.hGet("centroid:secrets", "none");
    } catch (cause) {
      await driver.destroy();
      throw cause;
    }
    return new RedisConnection(address, driver);
  } catch (cause) {
    throw new CentroidError(
      "CONFIG_INVALID",
      `no Redis answers at ${shownAddress(address)} (${cause instanceof Error ? cause.message : String(cause)}); start one or correct --redis`,
      { cause },
    );
  }
}

function connect(address: RedisAddress, logger: Logger): Promise<Driver> {
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

async function single(address: RedisAddress & { kind: "single" }, logger: Logger): Promise<Driver> {
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
  await client.connect();
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
      if (client.isOpen) client.destroy();
      if (subscriber.isOpen) subscriber.destroy();
    },
  };
}

async function watched(address: RedisAddress & { kind: "sentinel" }, logger: Logger): Promise<Driver> {
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
      if (client.isOpen) client.destroy();
    }
  }
  throw failure;
}

async function clustered(address: RedisAddress & { kind: "cluster" }, logger: Logger): Promise<Driver> {
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
