/** A connection to Redis, however it is set up: waited for at the start if need be, kept up for as long as it takes later. */
import { CentroidError } from "@centroid/protocol";
import { type StoreWait, untilStoreAnswers } from "../base/await-store.js";
import type { Logger } from "../base/logger.js";
import { parseRedisAddress, type RedisAddress, shownAddress } from "./address.js";
import { answered } from "./answered.js";
import { GroupCommit, type ScriptCall } from "./group-commit.js";

/** The commands that are used, the same on every kind of Redis. */
export interface RedisCommands {
  hDel(key: string, fields: string | string[]): Promise<number>;
  hGet(key: string, field: string): Promise<string | null>;
  hGetAll(key: string): Promise<Record<string, string>>;
  hmGet(key: string, fields: string[]): Promise<(string | null)[]>;
  hSetNX(key: string, field: string, value: string): Promise<number>;
  hSet(key: string, field: string, value: string): Promise<number>;
  hVals(key: string): Promise<string[]>;
  publish(channel: string, message: string): Promise<number>;
  sMembers(key: string): Promise<string[]>;
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
export interface RedisDriver {
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
  readonly #driver: RedisDriver;
  readonly #address: RedisAddress;
  readonly #commits = new Map<string, GroupCommit>();

  constructor(address: RedisAddress, driver: RedisDriver) {
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

/** What a server says that is still loading, or not the master yet. */
const NOT_YET = /^(LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|READONLY|BUSY)\b/;
/** What a server, or TLS, says to somebody who will be no more welcome later. */
const REFUSED = /^[A-Z]{2,}\b|certificate|SSL routines|know no master|RESP type/;

/**
 * @param url `redis://`, `redis+sentinel://` or `redis+cluster://`; see {@link parseRedisAddress}
 * @param wait how long for one that is away; not at all if not given
 * @throws CentroidError CONFIG_INVALID if the URL is none or who answers there does not take this broker,
 * STORE_UNAVAILABLE if nobody answers
 */
export async function connectRedis(
  url: string,
  logger: Logger,
  wait: StoreWait = { forMs: 0 },
): Promise<RedisConnection> {
  const address = parseRedisAddress(url);
  return untilStoreAnswers(() => connectOnce(address, logger), wait);
}

async function connectOnce(address: RedisAddress, logger: Logger): Promise<RedisConnection> {
  // Half of all the code that a broker would load, and most brokers have no Redis.
  const { openDriver } = await import("./driver.js");
  try {
    const driver = await openDriver(address, logger);
    try {
      // A server that wants a password takes the connection and refuses the first command.
      await driver.commands.hGet("centroid:secrets", "none");
    } catch (cause) {
      await driver.destroy();
      throw cause;
    }
    return new RedisConnection(address, driver);
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    const refused = REFUSED.test(said) && !NOT_YET.test(said);
    throw new CentroidError(
      refused ? "CONFIG_INVALID" : "STORE_UNAVAILABLE",
      `no Redis answers at ${shownAddress(address)} (${said}); start one or correct --redis`,
      { cause },
    );
  }
}
