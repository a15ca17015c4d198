/**
 * Keys, hashes, sets, lists and counters of `presence`: kept where brokers keep what outlives them, the same for all rooms
 * of the deployment. Arguments and results are those of Colyseus' presence on Redis.
 */
import {
  CentroidError,
  type PresenceCommand,
  type PresenceReply,
  presenceCommandSchema,
  presenceReplySchema,
} from "@centroid/protocol";
import type { Presence } from "@colyseus/core";
import type { DeploymentAccess } from "./deployment-matchmaker.js";

type Name = PresenceCommand["name"];
type Keys = Pick<
  Presence,
  | "exists"
  | "set"
  | "setex"
  | "expire"
  | "get"
  | "del"
  | "sadd"
  | "smembers"
  | "sismember"
  | "srem"
  | "scard"
  | "sinter"
  | "hset"
  | "hincrby"
  | "hincrbyex"
  | "hget"
  | "hgetall"
  | "hdel"
  | "hlen"
  | "incr"
  | "decr"
  | "llen"
  | "rpush"
  | "lpush"
  | "rpop"
  | "lpop"
  | "brpop"
>;

/** How often an empty list is looked at again, as by Colyseus. */
const POP_RETRY_MS = 125;

export interface PresenceKeysOptions {
  ask: DeploymentAccess["ask"] | undefined;
  /**
   * False while another host runs the room: `onCreate` runs again wherever a room is built again, and has changed keys once
   * already. It reads them then, and is told what it would be if it had changed nothing.
   */
  mayChange: () => boolean;
}

export function presenceKeys({ ask, mayChange }: PresenceKeysOptions): Keys {
  const run = async (name: Name, key: string, ...args: unknown[]): Promise<PresenceReply> => {
    if (ask === undefined) throw new CentroidError("ROOM_ERROR", "presence: there is no broker to keep keys");
    const command = presenceCommandSchema.safeParse({ name, key: textOf(key), args: args.map(textOf) });
    if (!command.success)
      throw new CentroidError(
        "BAD_REQUEST",
        `presence.${name}(): a key has 1 to 400 characters, a value 64 KB at most, and there are 1,000 at most in a call`,
      );
    return presenceReplySchema.parse(await ask({ method: "presence", command: command.data }));
  };
  const number = async (name: Name, key: string, ...args: unknown[]): Promise<number> =>
    Number((await run(name, key, ...args)) ?? 0);
  const text = async (name: Name, key: string, ...args: unknown[]): Promise<string | null> =>
    (await run(name, key, ...args)) as string | null;
  const list = async (name: Name, key: string, ...args: unknown[]): Promise<string[]> =>
    (await run(name, key, ...args)) as string[];
  const silently = async (name: Name, key: string, ...args: unknown[]): Promise<void> => {
    if (mayChange()) await run(name, key, ...args);
  };
  const pop = (name: "rpop" | "lpop", key: string): Promise<string | null> =>
    mayChange() ? text(name, key) : text("lindex", key, name === "rpop" ? -1 : 0);
  return {
    exists: async (key) => (await number("exists", key)) === 1,
    set: (key, value) => silently("set", key, value),
    setex: (key, value, seconds) => silently("setex", key, value, seconds),
    expire: (key, seconds) => silently("expire", key, seconds),
    get: (key) => text("get", key),
    del: (key) => silently("del", key),
    sadd: (key, value) => silently("sadd", key, ...several(value)),
    smembers: (key) => list("smembers", key),
    sismember: (key, field) => number("sismember", key, field),
    srem: (key, value) =>
      mayChange() ? number("srem", key, ...several(value)) : number("sismember", key, value),
    scard: (key) => number("scard", key),
    sinter: (...keys) => list("sinter", keys[0] ?? "", ...keys.slice(1)),
    hset: async (key, field, value) => !mayChange() || (await number("hset", key, field, value)) > 0,
    hincrby: (key, field, value) =>
      mayChange() ? number("hincrby", key, field, value) : number("hget", key, field),
    hincrbyex: (key, field, value, seconds) =>
      mayChange() ? number("hincrbyex", key, field, value, seconds) : number("hget", key, field),
    hget: (key, field) => text("hget", key, field),
    hgetall: async (key) => pairs(await list("hgetall", key)),
    hdel: async (key, field) => !mayChange() || (await number("hdel", key, field)) > 0,
    hlen: (key) => number("hlen", key),
    incr: (key) => number(mayChange() ? "incr" : "get", key),
    decr: (key) => number(mayChange() ? "decr" : "get", key),
    llen: (key) => number("llen", key),
    rpush: (key, ...values) => (mayChange() ? number("rpush", key, ...values) : number("llen", key)),
    lpush: (key, ...values) => (mayChange() ? number("lpush", key, ...values) : number("llen", key)),
    rpop: (key) => pop("rpop", key),
    lpop: (key) => pop("lpop", key),
    async brpop(...args) {
      const keys = args.slice(0, -1) as string[];
      const seconds = Number(args.at(-1));
      const untilMs = seconds === 0 ? Number.POSITIVE_INFINITY : performance.now() + seconds * 1000;
      for (;;) {
        for (const key of keys) {
          const value = await pop("rpop", key);
          if (value !== null) return [key, value];
        }
        if (performance.now() >= untilMs || !mayChange()) return null;
        await new Promise((resolve) => setTimeout(resolve, POP_RETRY_MS));
      }
    },
  };
}

/** As Redis' clients write it. */
const textOf = (value: unknown): string => (value === null || value === undefined ? "" : String(value));

const several = (value: unknown): unknown[] => (Array.isArray(value) ? value : [value]);

const pairs = (flat: readonly string[]): Record<string, string> => {
  const entries: [string, string][] = [];
  for (let at = 0; at < flat.length; at += 2) entries.push([flat[at] ?? "", flat[at + 1] ?? ""]);
  return Object.fromEntries(entries);
};
