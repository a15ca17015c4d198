/**
 * What `this.presence` is in a room: publish and subscribe between all rooms of the deployment, on whatever hosts they
 * are, beside the keys that they share.
 */
import { CentroidError, forgetOldest, type Published } from "@centroid/protocol";
import type { Presence } from "@colyseus/core";

type Callback = (data: unknown) => void;
type Listener = (data: unknown, id: string | undefined, from: string | undefined) => void;

/** A message is a word to others, not a transfer. */
const MAX_BYTES = 64 * 1024;
/** What reaches a room while it stands still: more than that nobody says in the time that a move takes. */
const MAX_WAITING = 10_000;
/** So many of the messages that a room has heard last are known to it: those that may still be on their way to another host. */
const MAX_REMEMBERED = 1_000;
/** A room hears no more others than this in the few seconds over which they are counted. */
const MAX_COUNTED = 1_000;

/** Who listens to what in this process. */
export class PresenceBus {
  readonly #byTopic = new Map<string, Set<Listener>>();
  readonly #toOthers: (said: Omit<Published, "type">) => void;
  readonly #name: string;
  #published = 0;

  /**
   * @param toOthers carries a message to all other processes with rooms
   * @param name of this process, by which its messages are told from those of others
   */
  constructor(toOthers: (said: Omit<Published, "type">) => void, name = "") {
    this.#toOthers = toOthers;
    this.#name = name;
  }

  add(topic: string, listener: Listener): void {
    const known = this.#byTopic.get(topic);
    if (known === undefined) this.#byTopic.set(topic, new Set([listener]));
    else known.add(listener);
  }

  remove(topic: string, listener: Listener): void {
    const known = this.#byTopic.get(topic);
    known?.delete(listener);
    if (known?.size === 0) this.#byTopic.delete(topic);
  }

  /**
   * To the rooms here and, as a copy of what JSON makes of it, everywhere else.
   * @param from the room that says it
   * @throws CentroidError
   */
  publish(topic: string, data: unknown, from?: string): void {
    const text = JSON.stringify(data) ?? "null";
    if (text.length > MAX_BYTES)
      throw new CentroidError("FRAME_TOO_LARGE", `presence: ${text.length} characters; at most ${MAX_BYTES}`);
    const id = `${this.#name}:${++this.#published}`;
    const said = { topic, data: JSON.parse(text) as unknown, id, ...(from !== undefined && { from }) };
    this.#toOthers(said);
    this.heard({ ...said, data: JSON.parse(text) });
  }

  /** A message of another process. */
  heard({ topic, data, id, from }: Omit<Published, "type">): void {
    for (const listener of [...(this.#byTopic.get(topic) ?? [])]) listener(data, id, from);
  }
}

/**
 * What presence says to a room that is between two hosts: it hears each message once, at the host where it stands still
 * or at the one where it goes on.
 */
export class HeardMessages {
  readonly #running: () => boolean;
  #waiting: { data: unknown; id: string; handler: Callback }[] = [];
  readonly #remembered = new Set<string>();
  /** By the room that said them: messages since the counts were last taken. */
  #counts = new Map<string, number>();

  /** @param running false while the room stands still or is on its way */
  constructor(running: () => boolean) {
    this.#running = running;
  }

  hear(data: unknown, id: string | undefined, handler: Callback): void {
    if (this.#running()) {
      if (id !== undefined) this.#remember(id);
      handler(data);
    } else if (id !== undefined && this.#waiting.length < MAX_WAITING)
      this.#waiting.push({ data, id, handler });
  }

  /** A message of another room has come. */
  count(from: string): void {
    const before = this.#counts.get(from);
    if (before !== undefined || this.#counts.size < MAX_COUNTED) this.#counts.set(from, (before ?? 0) + 1);
  }

  takeCounts(): ReadonlyMap<string, number> {
    const counts = this.#counts;
    this.#counts = new Map();
    return counts;
  }

  /** Those that need not be heard at another host. */
  export(): string[] {
    return [...this.#remembered];
  }

  import(ids: readonly string[]): void {
    for (const id of ids) this.#remember(id);
  }

  /** The room goes on here. */
  resumed(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    const before = new Set(this.#remembered);
    for (const { data, id, handler } of waiting) {
      if (before.has(id)) continue;
      this.#remember(id);
      handler(data);
    }
  }

  #remember(id: string): void {
    this.#remembered.add(id);
    forgetOldest(this.#remembered, MAX_REMEMBERED);
  }
}

/**
 * @param onEnd runs its argument when the room has ended here
 * @param roomId of the room, which it may choose in `onCreate`
 * @param speaks false while another host runs the room: this one only follows it, or builds it again
 * @param onSubscribe the callback to call in place of this one, and what to do when it is taken back
 */
export function roomPresence(
  bus: PresenceBus,
  messages: HeardMessages,
  onEnd: (run: () => void) => void,
  roomId: () => string,
  speaks: () => boolean,
  keys: object,
  onSubscribe: (
    topic: string,
    callback: Callback,
  ) => { handler: Callback; remove: () => void; undoneBy: (off: () => void) => void },
): Presence {
  const subscriptions: { topic: string; callback: Callback; heard: Listener; remove: () => void }[] = [];
  const drop = (matches: (topic: string, callback: Callback, heard: Listener) => boolean): void => {
    for (const subscription of [...subscriptions]) {
      const { topic, callback, heard, remove } = subscription;
      if (!matches(topic, callback, heard)) continue;
      remove();
      bus.remove(topic, heard);
      subscriptions.splice(subscriptions.indexOf(subscription), 1);
    }
  };
  onEnd(() => drop(() => true));
  const presence = {
    async subscribe(topic: string, callback: Callback) {
      const { handler, remove, undoneBy } = onSubscribe(topic, callback);
      const heard: Listener = (data, id, from) => {
        if (from !== undefined && from !== roomId()) messages.count(from);
        messages.hear(data, id, handler);
      };
      subscriptions.push({ topic, callback, heard, remove });
      bus.add(topic, heard);
      undoneBy(() => drop((_topic, _callback, its) => its === heard));
      return presence;
    },
    unsubscribe(topic: string, callback?: Callback) {
      drop((known, its) => known === topic && (callback === undefined || its === callback));
      return presence;
    },
    publish(topic: string, data: unknown) {
      if (speaks()) bus.publish(topic, data, roomId());
      return presence;
    },
    async channels() {
      return [...new Set(subscriptions.map(({ topic }) => topic))];
    },
    setMaxListeners: () => undefined,
    shutdown: () => undefined,
  };
  return { ...keys, ...presence } as unknown as Presence;
}
