/** Keys that the rooms of a deployment share: the commands of Colyseus' presence, named and answered as by Redis. */
import { z } from "zod";

const READS = [
  "exists",
  "get",
  "smembers",
  "sismember",
  "scard",
  "sinter",
  "hget",
  "hgetall",
  "hlen",
  "llen",
  "lindex",
] as const;
const WRITES = [
  "set",
  "setex",
  "expire",
  "del",
  "sadd",
  "srem",
  "hset",
  "hincrby",
  "hincrbyex",
  "hdel",
  "incr",
  "decr",
  "rpush",
  "lpush",
  "rpop",
  "lpop",
] as const;
/** Of a value, and of a hash's field or a set's member. */
export const MAX_PRESENCE_VALUE_BYTES = 64 * 1024;

/** A command on one key; `sinter` has more keys in `args`. */
export const presenceCommandSchema = z.object({
  name: z.enum([...READS, ...WRITES]),
  key: z.string().min(1).max(400),
  args: z.array(z.string().max(MAX_PRESENCE_VALUE_BYTES)).max(1_000),
});
export type PresenceCommand = z.infer<typeof presenceCommandSchema>;

/** As Redis answers in RESP 2; a hash is its fields and values in turns. */
export const presenceReplySchema = z.union([z.string(), z.number(), z.null(), z.array(z.string())]);
export type PresenceReply = z.infer<typeof presenceReplySchema>;

const READ_NAMES: ReadonlySet<string> = new Set(READS);
/** It leaves the key as it is. */
export const presenceReads = ({ name }: PresenceCommand): boolean => READ_NAMES.has(name);
