/**
 * Brokers that share a Redis: a lease per broker, a lease with a fencing token per shard, and a channel. All times
 * are Redis' own, so that brokers' clocks do not matter; a broker that could not renew in time stops owning by
 * its own monotonic clock before Redis lets another have its shards. A token is made by the broker that asks for it,
 * so that none is given twice, whatever a Redis that was replaced remembers.
 */
import { hash32, SHARDS, shardOf } from "@centroid/protocol";
import { z } from "zod";
import type { StoreWait } from "../base/await-store.js";
import type { Logger } from "../base/logger.js";
import { connectRedis, type RedisConnection } from "../redis/connection.js";
import {
  type Cluster,
  type ClusterEvents,
  type ClusterMessage,
  clusterMessageSchema,
  type Member,
} from "./cluster.js";
import { LeaseLength, LONGEST_LEASE_MS } from "./lease-length.js";
import { LEAVE_SCRIPT, MEMBERS_SCRIPT, REFRESH_SCRIPT } from "./redis-scripts.js";

const REFRESH_MS = 400;
/** By so much earlier a broker stops by itself: more than a refresh may take on its way. */
const MARGIN_MS = 500;

/** No shard's: what is written with it is refused. */
const NO_TOKEN = "-";

const memberSchema = z.object({ brokerId: z.string(), url: z.string() });
/** Members as JSON; for each shard `[holder, token]`, the empty string if nobody holds it. */
const refreshedSchema = z.tuple([z.array(z.string()), z.array(z.tuple([z.string(), z.string()]))]);

interface Holding {
  brokerId: string;
  token: string;
}

export interface RedisClusterOptions {
  /** `redis://`, `redis+sentinel://` or `redis+cluster://`; see `parseRedisAddress`. */
  url: string;
  logger: Logger;
  /** Of every key and channel. */
  prefix?: string;
  /** Monotonic, ms. */
  now?: () => number;
}

/** Brokers that find each other and deal out rooms through a Redis. */
export class RedisCluster implements Cluster {
  readonly #options: RedisClusterOptions;
  readonly #prefix: string;
  readonly #now: () => number;
  readonly #redis: RedisConnection;
  #self: Member | undefined;
  #events: ClusterEvents | undefined;
  #members: Member[] = [];
  #holdings: (Holding | undefined)[] = [];
  /** Shards this broker decides about, with their tokens. */
  readonly #own = new Map<number, string>();
  /** Those, and those that it has not given back but whose lease ran out. */
  readonly #last = new Map<number, string>();
  /** One and the same, so that joining again after Redis was away does not hear everything twice. */
  readonly #listener = (text: string): void => this.#receive(text);
  #refreshes = 0;
  readonly #lease = new LeaseLength();
  #heldUntilMs = Number.NEGATIVE_INFINITY;
  /** When the last grant was asked for, if nothing has failed since. */
  #grantedAtMs: number | undefined;
  #term = 0;
  #timer: NodeJS.Timeout | undefined;
  #expiry: NodeJS.Timeout | undefined;
  #left = false;

  private constructor(options: RedisClusterOptions, redis: RedisConnection) {
    this.#options = options;
    this.#prefix = options.prefix ?? "centroid:";
    this.#now = options.now ?? (() => performance.now());
    this.#redis = redis;
  }

  /**
   * @param wait how long for a Redis that is away; not at all if not given
   * @throws CentroidError CONFIG_INVALID, STORE_UNAVAILABLE as {@link connectRedis} does
   */
  static async connect(options: RedisClusterOptions, wait?: StoreWait): Promise<RedisCluster> {
    return new RedisCluster(options, await connectRedis(options.url, options.logger, wait));
  }

  async join(self: Member, events: ClusterEvents): Promise<void> {
    this.#self = self;
    this.#events = events;
    await this.#redis.subscribe(this.#channel, this.#listener);
    await this.#refresh();
    this.#schedule();
  }

  owns(roomId: string): boolean {
    return this.#own.has(shardOf(roomId)) && this.#now() < this.#heldUntilMs;
  }

  ownerOf(roomId: string): Member | undefined {
    const holding = this.#holdings[shardOf(roomId)];
    return holding && this.#members.find(({ brokerId }) => brokerId === holding.brokerId);
  }

  tokenOf(roomId: string): string {
    return this.#own.get(shardOf(roomId)) ?? NO_TOKEN;
  }

  members(): readonly Member[] {
    return this.#members;
  }

  reachable(): boolean {
    return this.#redis.isReady && this.#now() < this.#heldUntilMs;
  }

  others(): readonly Member[] {
    return this.#members.filter(({ brokerId }) => brokerId !== this.#self?.brokerId);
  }

  async othersNow(): Promise<readonly Member[]> {
    const answer = await this.#redis.script({ script: MEMBERS_SCRIPT, keys: this.#keys(), args: [] });
    return membersOf(z.array(z.string()).parse(answer)).filter(
      ({ brokerId }) => brokerId !== this.#self?.brokerId,
    );
  }

  term(): number {
    return this.#term;
  }

  countsForMs(): number {
    return this.#left ? 0 : Math.max(0, this.#heldUntilMs + MARGIN_MS - this.#now());
  }

  get #channel(): string {
    return `${this.#prefix}messages`;
  }

  publish(kind: ClusterMessage["kind"], body: unknown): void {
    const from = this.#self?.brokerId ?? "";
    this.#redis.commands.publish(this.#channel, JSON.stringify({ from, kind, body })).catch((cause) => {
      this.#options.logger.warn({ kind, cause }, "message to other brokers not sent");
    });
  }

  /** Ends without giving anything back, as a crash would: the lease runs out. */
  abandon(): void {
    this.#self = undefined;
    void this[Symbol.asyncDispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#left = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#expiry);
    this.#own.clear();
    if (this.#self !== undefined && this.#redis.isReady) {
      const args = [this.#self.brokerId, String(SHARDS)];
      await this.#redis.script({ script: LEAVE_SCRIPT, keys: this.#keys(), args }).catch(() => undefined);
    }
    await this.#redis.destroy();
  }

  #keys(): string[] {
    return ["brokers", "broker-urls", "shards", "history"].map((name) => this.#redis.key(this.#prefix, name));
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#refresh()
        .catch((cause: unknown) => {
          // How long Redis is away says nothing about how busy this broker is.
          this.#grantedAtMs = undefined;
          this.#options.logger.warn({ cause }, "lease not renewed; Redis does not answer");
        })
        .finally(() => {
          if (!this.#left) this.#schedule();
        });
    }, REFRESH_MS);
    this.#timer.unref();
  }

  /** One round trip: renews the lease, takes shards that are free, gives back those of others, reads the rest. */
  async #refresh(): Promise<void> {
    const self = this.#self;
    if (self === undefined || this.#left) return;
    // What Redis grants counts from before it was asked.
    const askedAtMs = this.#now();
    const leaseMs = this.#lease.ms;
    const wanted = wantedShards(self.brokerId, this.#members);
    // Before Redis can give them to another.
    this.#release(new Set(wanted));
    const answer = await this.#redis.script({
      script: REFRESH_SCRIPT,
      keys: this.#keys(),
      args: [
        self.brokerId,
        self.url,
        String(leaseMs),
        String(SHARDS),
        wanted.join(","),
        `${self.brokerId}/${++this.#refreshes}`,
        [...this.#last].map(([shard, token]) => `${shard}=${token}`).join(","),
        askedAtMs < this.#heldUntilMs ? "1" : "",
        String(LONGEST_LEASE_MS),
      ],
    });
    if (this.#left) return;
    const [members, shards] = refreshedSchema.parse(answer);
    const [before, dealt] = [this.#members.length, this.#holdings];
    this.#members = membersOf(members);
    this.#holdings = shards.map(([brokerId, token]) => (brokerId === "" ? undefined : { brokerId, token }));
    // Its lease may have been over when this one was granted.
    if (this.#now() >= this.#heldUntilMs + MARGIN_MS) this.#term++;
    this.#heldUntilMs = askedAtMs + leaseMs - MARGIN_MS;
    if (this.#grantedAtMs !== undefined) this.#lease.granted(this.#now(), this.#now() - this.#grantedAtMs);
    this.#grantedAtMs = askedAtMs;
    this.#watchExpiry();
    this.#settle();
    const others = this.#holdings.flatMap((holding, shard) =>
      holding === undefined ||
      holding.brokerId === self.brokerId ||
      holding.brokerId === dealt[shard]?.brokerId
        ? []
        : [shard],
    );
    if (others.length > 0) this.#events?.dealt(others);
    // Who is there decides what to want: with that news ask again at once.
    if (before === 0 || before !== this.#members.length) await this.#refreshSoon();
  }

  async #refreshSoon(): Promise<void> {
    const wanted = wantedShards(this.#self?.brokerId ?? "", this.#members);
    const same = wanted.length === this.#own.size && wanted.every((shard) => this.#own.has(shard));
    if (!same) await this.#refresh();
  }

  #release(kept: ReadonlySet<number>): void {
    for (const shard of this.#last.keys()) if (!kept.has(shard)) this.#last.delete(shard);
    this.#pause(kept);
  }

  /** Stops deciding about all but these, without giving them back. */
  #pause(kept: ReadonlySet<number>): void {
    const released = [...this.#own.keys()].filter((shard) => !kept.has(shard));
    for (const shard of released) this.#own.delete(shard);
    if (released.length > 0) this.#events?.released(released);
  }

  #settle(): void {
    const acquired: number[] = [];
    const released: number[] = [];
    for (let shard = 0; shard < SHARDS; shard++) {
      const holding = this.#holdings[shard];
      const mine = holding !== undefined && holding.brokerId === this.#self?.brokerId;
      const token = this.#own.get(shard);
      if (mine) this.#last.set(shard, holding.token);
      else this.#last.delete(shard);
      if (mine && token !== holding.token) {
        this.#own.set(shard, holding.token);
        acquired.push(shard);
      } else if (!mine && token !== undefined) {
        this.#own.delete(shard);
        released.push(shard);
      }
    }
    if (released.length > 0) this.#events?.released(released);
    if (acquired.length > 0) this.#events?.acquired(acquired);
  }

  #watchExpiry(): void {
    clearTimeout(this.#expiry);
    this.#expiry = setTimeout(() => this.#pause(new Set()), this.#heldUntilMs - this.#now());
    this.#expiry.unref();
  }

  #receive(text: string): void {
    let message: ClusterMessage;
    try {
      message = clusterMessageSchema.parse(JSON.parse(text));
    } catch (cause) {
      this.#options.logger.warn({ cause }, "message of another broker not understood");
      return;
    }
    if (message.from !== this.#self?.brokerId) this.#events?.message(message);
  }
}

const membersOf = (texts: readonly string[]): Member[] =>
  texts.map((text) => memberSchema.parse(JSON.parse(text)));

/** Rendezvous hashing (Thaler, Ravishankar 1998): a member that comes or goes moves only the shards it takes or had. */
function wantedShards(brokerId: string, members: readonly Member[]): number[] {
  const wanted: number[] = [];
  for (let shard = 0; shard < SHARDS; shard++) {
    let best = { brokerId, weight: hash32(`${brokerId}/${shard}`) };
    for (const { brokerId: other } of members) {
      const weight = hash32(`${other}/${shard}`);
      if (weight > best.weight || (weight === best.weight && other < best.brokerId))
        best = { brokerId: other, weight };
    }
    if (best.brokerId === brokerId) wanted.push(shard);
  }
  return wanted;
}
