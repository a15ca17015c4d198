/**
 * What `this.presence` is in a room: publish and subscribe between all rooms of the deployment, on whatever hosts they
 * are. What Colyseus' presence keeps beside (keys, hashes, lists) would be a host's own here, so it is refused: where the
 * code says so plainly at the start, else when it is called.
 */
import { CentroidError } from "@centroid/protocol";
import type { Presence } from "@colyseus/core";

type Callback = (data: unknown) => void;

/** A message is a word to others, not a transfer. */
const MAX_BYTES = 64 * 1024;
/** What of Colyseus' presence a room has not got. */
export const REFUSED_PRESENCE = [
  "exists",
  "set",
  "setex",
  "expire",
  "get",
  "del",
  "sadd",
  "smembers",
  "sismember",
  "srem",
  "scard",
  "sinter",
  "hset",
  "hincrby",
  "hincrbyex",
  "hget",
  "hgetall",
  "hdel",
  "hlen",
  "incr",
  "decr",
  "llen",
  "rpush",
  "lpush",
  "rpop",
  "lpop",
  "brpop",
] as const satisfies readonly (keyof Presence)[];

/** Who listens to what in this process. */
export class PresenceBus {
  readonly #byTopic = new Map<string, Set<Callback>>();
  readonly #toOthers: (topic: string, data: unknown) => void;

  /** @param toOthers carries a message to all other processes with rooms */
  constructor(toOthers: (topic: string, data: unknown) => void) {
    this.#toOthers = toOthers;
  }

  add(topic: string, callback: Callback): void {
    const known = this.#byTopic.get(topic);
    if (known === undefined) this.#byTopic.set(topic, new Set([callback]));
    else known.add(callback);
  }

  remove(topic: string, callback: Callback): void {
    const known = this.#byTopic.get(topic);
    known?.delete(callback);
    if (known?.size === 0) this.#byTopic.delete(topic);
  }

  /** To the rooms here and, as a copy of what JSON makes of it, everywhere else. @throws CentroidError */
  publish(topic: string, data: unknown): void {
    const text = JSON.stringify(data) ?? "null";
    if (text.length > MAX_BYTES)
      throw new CentroidError("FRAME_TOO_LARGE", `presence: ${text.length} characters; at most ${MAX_BYTES}`);
    this.#toOthers(topic, JSON.parse(text));
    this.heard(topic, JSON.parse(text));
  }

  /** A message of another process. */
  heard(topic: string, data: unknown): void {
    for (const callback of [...(this.#byTopic.get(topic) ?? [])]) callback(data);
  }
}

/**
 * @param running false while the room stands still or is on its way: then it hears nothing, its other life does
 * @param onEnd runs its argument when the room has ended here
 * @param onSubscribe the callback to call in place of this one, and what to do when it is taken back
 */
export function roomPresence(
  bus: PresenceBus,
  running: () => boolean,
  onEnd: (run: () => void) => void,
  onSubscribe: (topic: string, callback: Callback) => { handler: Callback; remove: () => void },
): Presence {
  const subscriptions: { topic: string; callback: Callback; heard: Callback; remove: () => void }[] = [];
  const drop = (matches: (topic: string, callback: Callback) => boolean): void => {
    for (const subscription of [...subscriptions]) {
      const { topic, callback, heard, remove } = subscription;
      if (!matches(topic, callback)) continue;
      remove();
      bus.remove(topic, heard);
      subscriptions.splice(subscriptions.indexOf(subscription), 1);
    }
  };
  onEnd(() => drop(() => true));
  const presence = {
    async subscribe(topic: string, callback: Callback) {
      const { handler, remove } = onSubscribe(topic, callback);
      const heard: Callback = (data) => {
        if (running()) handler(data);
      };
      subscriptions.push({ topic, callback, heard, remove });
      bus.add(topic, heard);
      return presence;
    },
    unsubscribe(topic: string, callback?: Callback) {
      drop((known, its) => known === topic && (callback === undefined || its === callback));
      return presence;
    },
    publish(topic: string, data: unknown) {
      bus.publish(topic, data);
      return presence;
    },
    async channels() {
      return [...new Set(subscriptions.map(({ topic }) => topic))];
    },
    setMaxListeners: () => undefined,
    shutdown: () => undefined,
  };
  const refused = Object.fromEntries(
    REFUSED_PRESENCE.map((name) => [
      name,
      () => {
        throw new CentroidError(
          "ROOM_ERROR",
          `presence.${name}() is not shared between hosts; keep it in the room's state, in a database, or publish it`,
        );
      },
    ]),
  );
  return { ...refused, ...presence } as unknown as Presence;
}
