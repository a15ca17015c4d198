/**
 * Keys that rooms share, where there is no Redis: strings, hashes, sets and lists, with what Redis' commands of the same
 * names do to them. Pure but for the entries that it is given.
 */
import type { PresenceCommand, PresenceReply } from "@centroid/protocol";
import { CentroidError } from "@centroid/protocol/errors";

/** What one key holds; hashes and sets in the order in which they were filled. */
export type PresenceEntry = { expiresAtMs?: number } & (
  | { type: "string"; value: string }
  | { type: "hash"; items: [field: string, value: string][] }
  | { type: "set"; items: string[] }
  | { type: "list"; items: string[] }
);
type Kind = PresenceEntry["type"];
type Of<K extends Kind> = Extract<PresenceEntry, { type: K }>;

export interface PresenceEntries {
  get(key: string): PresenceEntry | undefined;
  set(key: string, entry: PresenceEntry): void;
  remove(key: string): void;
  all(): Iterable<readonly [string, PresenceEntry]>;
  count(): number;
}

/** Counters, names and scores of a game, not its database. */
const MAX_KEYS = 100_000;
const MAX_KEY_CHARS = 1024 * 1024;

/** @throws CentroidError BAD_REQUEST if the key holds something else, or too much */
export function carryOut(
  entries: PresenceEntries,
  { name, key, args }: PresenceCommand,
  nowMs: number,
): PresenceReply {
  const [first = "", second = ""] = args;
  const found = (of: string): PresenceEntry | undefined => {
    const entry = entries.get(of);
    return entry?.expiresAtMs !== undefined && entry.expiresAtMs <= nowMs ? undefined : entry;
  };
  const read = <K extends Kind>(type: K, of = key): Of<K> | undefined => {
    const entry = found(of);
    if (entry === undefined || entry.type === type) return entry as Of<K> | undefined;
    throw refusal(`"${of}" holds a ${entry.type}, not a ${type}`);
  };
  const put = (entry: PresenceEntry): void => {
    if (entry.type !== "string" && entry.items.length === 0) {
      entries.remove(key);
      return;
    }
    if (charsOf(entry) > MAX_KEY_CHARS)
      throw refusal(`"${key}" would hold more than ${MAX_KEY_CHARS} characters`);
    if (entries.get(key) === undefined && entries.count() >= MAX_KEYS) {
      for (const [other, { expiresAtMs = Infinity }] of [...entries.all()])
        if (expiresAtMs <= nowMs) entries.remove(other);
      if (entries.count() >= MAX_KEYS)
        throw refusal(`there are ${MAX_KEYS} keys already; give keys an end with expire()`);
    }
    entries.set(key, entry);
  };
  const hash = (): Map<string, string> => new Map(read("hash")?.items);
  const set = (of = key): Set<string> => new Set(read("set", of)?.items);
  const list = (): string[] => [...(read("list")?.items ?? [])];
  /** What is changed keeps the time at which it ends. */
  const kept = (): { expiresAtMs?: number } => {
    const expiresAtMs = found(key)?.expiresAtMs;
    return expiresAtMs === undefined ? {} : { expiresAtMs };
  };
  const until = (seconds: string): { expiresAtMs: number } => ({
    expiresAtMs: nowMs + 1000 * numberOf(seconds),
  });
  const count = (by: number): number => {
    const value = integer(read("string")?.value ?? "0") + by;
    put({ type: "string", value: String(value), ...kept() });
    return value;
  };
  const countField = (ends: { expiresAtMs?: number }): number => {
    const fields = hash();
    const value = integer(fields.get(first) ?? "0") + integer(second);
    put({ type: "hash", items: [...fields.set(first, String(value))], ...ends });
    return value;
  };
  const push = (change: (items: string[]) => void): number => {
    const items = list();
    change(items);
    put({ type: "list", items, ...kept() });
    return items.length;
  };
  const pop = (take: (items: string[]) => string | undefined): string | null => {
    const items = list();
    const taken = take(items);
    if (taken !== undefined) put({ type: "list", items, ...kept() });
    return taken ?? null;
  };

  switch (name) {
    case "exists":
      return found(key) === undefined ? 0 : 1;
    case "get":
      return read("string")?.value ?? null;
    case "set":
      put({ type: "string", value: first });
      return "OK";
    case "setex":
      if (numberOf(second) <= 0) throw refusal(`${second} s is no time after which a key ends`);
      put({ type: "string", value: first, ...until(second) });
      return "OK";
    case "expire": {
      const entry = found(key);
      if (entry === undefined) return 0;
      if (numberOf(first) <= 0) entries.remove(key);
      else entries.set(key, { ...entry, ...until(first) });
      return 1;
    }
    case "del": {
      const was = found(key) !== undefined;
      entries.remove(key);
      return was ? 1 : 0;
    }
    case "incr":
      return count(1);
    case "decr":
      return count(-1);
    case "sadd": {
      const members = set();
      const before = members.size;
      for (const member of args) members.add(member);
      if (members.size > before) put({ type: "set", items: [...members], ...kept() });
      return members.size - before;
    }
    case "srem": {
      const members = set();
      const removed = args.filter((member) => members.delete(member)).length;
      if (removed > 0) put({ type: "set", items: [...members], ...kept() });
      return removed;
    }
    case "smembers":
      return [...set()];
    case "sismember":
      return set().has(first) ? 1 : 0;
    case "scard":
      return set().size;
    case "sinter": {
      const others = args.map((other) => set(other));
      return [...set()].filter((member) => others.every((other) => other.has(member)));
    }
    case "hset": {
      const fields = hash();
      const isNew = !fields.has(first);
      put({ type: "hash", items: [...fields.set(first, second)], ...kept() });
      return isNew ? 1 : 0;
    }
    case "hget":
      return hash().get(first) ?? null;
    case "hgetall":
      return [...hash()].flat();
    case "hlen":
      return hash().size;
    case "hdel": {
      const fields = hash();
      if (!fields.delete(first)) return 0;
      put({ type: "hash", items: [...fields], ...kept() });
      return 1;
    }
    case "hincrby":
      return countField(kept());
    case "hincrbyex":
      return countField(until(args[2] ?? ""));
    case "llen":
      return list().length;
    case "lindex":
      return list().at(integer(first)) ?? null;
    case "rpush":
      return push((items) => items.push(...args));
    case "lpush":
      return push((items) => items.unshift(...args.toReversed()));
    case "rpop":
      return pop((items) => items.pop());
    case "lpop":
      return pop((items) => items.shift());
    default: {
      const never: never = name;
      throw new CentroidError("INTERNAL", `unknown command ${String(never)}`);
    }
  }
}

const refusal = (what: string): CentroidError => new CentroidError("BAD_REQUEST", `presence: ${what}`);

/** @throws CentroidError BAD_REQUEST */
export function numberOf(text: string | undefined): number {
  const number = Number(text);
  if (text === undefined || text.trim() === "" || !Number.isFinite(number))
    throw refusal(`"${text}" is no number`);
  return number;
}

function integer(text: string): number {
  if (!/^-?\d{1,15}$/.test(text)) throw refusal(`"${text.slice(0, 50)}" is not an integer`);
  return Number(text);
}

function charsOf(entry: PresenceEntry): number {
  if (entry.type === "string") return entry.value.length;
  let chars = 0;
  for (const item of entry.items)
    chars += typeof item === "string" ? item.length : item[0].length + item[1].length;
  return chars;
}
