/** The shared store: Redis, for brokers on several machines. What must be one step is one script there. */
import {
  type AuditEntry,
  auditEntrySchema,
  CentroidError,
  type PresenceCommand,
  type PresenceReply,
  presenceReplySchema,
  type Receipt,
  receiptSchema,
  shardOf,
} from "@centroid/protocol";
import { z } from "zod";
import type { Cluster } from "../cluster/cluster.js";
import type { RedisConnection } from "../redis/connection.js";
import { numberOf } from "./presence-keys.js";
import {
  CLOSE_MIGRATION,
  FENCED,
  JOURNAL,
  NEXT_EPOCH,
  PRESENCE,
  PUT_CHECKPOINT,
  PUT_ROOM,
  REMOVE_CHECKPOINT,
} from "./redis-store-scripts.js";
import {
  type JournalEntry,
  journalEntrySchema,
  type RoomRecord,
  roomRecordSchema,
  type Store,
  type StoredCheckpoint,
} from "./store.js";
import { assertNotStale, MAX_AUDIT, MAX_RECEIPTS } from "./store-rules.js";

/** Phases kept in the stream, for those who want to know how moves went. */
const MAX_JOURNAL_ENTRIES = 10_000;

const checkpointSchema = z.object({
  epoch: z.coerce.number(),
  seq: z.coerce.number(),
  takenAtMs: z.coerce.number(),
  data: z.string(),
});

const presenceAnswerSchema = z.tuple([z.enum(["ok", "error"]), presenceReplySchema]);

/** Colyseus' command as Redis has it: name, arguments behind the keys, and in how many seconds the key ends. */
function asRedis(
  name: PresenceCommand["name"],
  args: readonly string[],
): [command: string, args: readonly string[], seconds?: string | undefined] {
  switch (name) {
    case "sinter":
      return ["SINTER", []];
    case "setex":
      return ["PSETEX", [msOf(args[1]), args[0] ?? ""]];
    case "expire":
      return ["PEXPIRE", [msOf(args[0])]];
    case "hincrbyex":
      return ["HINCRBY", args.slice(0, 2), args[2]];
    default:
      return [name.toUpperCase(), args];
  }
}

/** @throws CentroidError BAD_REQUEST */
const msOf = (seconds: string | undefined): string => String(Math.round(1000 * numberOf(seconds)));

/** A store in Redis, shared by several brokers. */
export class RedisStore implements Store {
  readonly #redis: RedisConnection;
  readonly #prefix: string;
  readonly #fence: Pick<Cluster, "tokenOf"> | undefined;

  /**
   * @param redis stays the caller's to close
   * @param prefix of every key: one per deployment on this Redis
   * @param fence whose tokens writes about rooms are checked by; no check if not given
   */
  constructor(redis: RedisConnection, prefix = "centroid:", fence?: Pick<Cluster, "tokenOf">) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#fence = fence;
  }

  async secret(name: string, create: () => string): Promise<string> {
    const { commands } = this.#redis;
    await commands.hSetNX(this.#key("secrets"), name, create());
    const secret = await commands.hGet(this.#key("secrets"), name);
    if (secret === null) throw new CentroidError("INTERNAL", `Redis lost the secret "${name}"; try again`);
    return secret;
  }

  async values(): Promise<ReadonlyMap<string, string>> {
    return new Map(Object.entries(await this.#redis.commands.hGetAll(this.#key("values"))));
  }

  async putValue(name: string, value: string | undefined): Promise<void> {
    const { commands } = this.#redis;
    if (value === undefined) await commands.hDel(this.#key("values"), name);
    else await commands.hSet(this.#key("values"), name, value);
  }

  async putRoom(room: RoomRecord): Promise<void> {
    const { roomId, epoch } = room;
    const newer = await this.#fenced(
      PUT_ROOM,
      roomId,
      ["rooms"],
      [roomId, String(epoch), JSON.stringify(room)],
    );
    if (typeof newer === "string") assertNotStale(room, roomRecordSchema.parse(JSON.parse(newer)));
  }

  async nextEpoch(roomId: string, above: number): Promise<number> {
    const given = await this.#fenced(NEXT_EPOCH, roomId, ["epochs", "history"], [roomId, String(above)]);
    return z.coerce.number().int().parse(given);
  }

  async removeRoom(roomId: string): Promise<void> {
    const { commands } = this.#redis;
    // All are sent before any is answered: a room that is made again under this id meanwhile must not be removed.
    const removed = ["rooms", "epochs"].map((name) => commands.hDel(this.#key(name), roomId));
    await Promise.all([this.#removeCheckpoint(roomId), ...removed]);
  }

  async saved(shards: readonly number[]): Promise<string[]> {
    const { commands } = this.#redis;
    return (await Promise.all(shards.map((shard) => commands.sMembers(this.#savedKey(shard))))).flat();
  }

  removeCheckpoint({ roomId, epoch, seq }: Parameters<Store["removeCheckpoint"]>[0]): Promise<void> {
    return this.#removeCheckpoint(roomId, String(epoch), String(seq));
  }

  async rooms(): Promise<RoomRecord[]> {
    const rooms = await this.#redis.commands.hVals(this.#key("rooms"));
    return rooms.map((text) => roomRecordSchema.parse(JSON.parse(text)));
  }

  async records(roomIds: readonly string[]): Promise<RoomRecord[]> {
    if (roomIds.length === 0) return [];
    const records = await this.#redis.commands.hmGet(this.#key("rooms"), [...roomIds]);
    return records.filter((text) => text !== null).map((text) => roomRecordSchema.parse(JSON.parse(text)));
  }

  async putCheckpoint(
    { roomId, epoch, seq, takenAtMs, data }: StoredCheckpoint,
    calledOff = 0,
  ): Promise<void> {
    await this.#redis.script({
      script: PUT_CHECKPOINT,
      keys: this.#checkpointKeys(roomId),
      args: [
        roomId,
        String(epoch),
        String(seq),
        String(takenAtMs),
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
        String(calledOff),
      ],
    });
  }

  async checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    const [key] = this.#checkpointKeys(roomId);
    const found = await this.#redis.commands.hGetAll(key);
    if (Object.keys(found).length === 0) return undefined;
    const { data, ...rest } = checkpointSchema.parse(found);
    return { roomId, ...rest, data: Buffer.from(data, "base64") };
  }

  async journal(entry: JournalEntry): Promise<void> {
    const { migrationId, roomId } = entry;
    const text = JSON.stringify(entry);
    await this.#fenced(
      JOURNAL,
      roomId,
      ["open", "journal"],
      [migrationId, text, String(MAX_JOURNAL_ENTRIES)],
    );
  }

  async openMigrations(): Promise<JournalEntry[]> {
    const entries = await this.#redis.commands.hVals(this.#key("open"));
    return entries.map((text) => journalEntrySchema.parse(JSON.parse(text)));
  }

  async closeMigration(receipt: Receipt): Promise<void> {
    const { migrationId, roomId, startedAtMs } = receipt;
    await this.#fenced(
      CLOSE_MIGRATION,
      roomId,
      ["open", "receipts", "receipts-by-time"],
      [migrationId, JSON.stringify(receipt), String(startedAtMs)],
    );
    await this.#trim();
  }

  async receipts({ roomId, limit }: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    const found: Receipt[] = [];
    const page = Math.max(limit, 100);
    for (let from = 0; found.length < limit; from += page) {
      const ids = await this.#redis.commands.zRange(this.#key("receipts-by-time"), from, from + page - 1, {
        REV: true,
      });
      if (ids.length === 0) break;
      for (const text of await this.#redis.commands.hmGet(this.#key("receipts"), ids)) {
        if (text === null) continue;
        const receipt = receiptSchema.parse(JSON.parse(text));
        if (found.length < limit && (roomId === undefined || receipt.roomId === roomId)) found.push(receipt);
      }
    }
    return found;
  }

  async appendAudit(entry: AuditEntry, begun?: AuditEntry): Promise<void> {
    const { commands } = this.#redis;
    await commands.zAdd(this.#key("audit"), { score: entry.atMs, value: JSON.stringify(entry) });
    // Behind what replaces it: cut off in between, the order is on record twice rather than not at all.
    if (begun !== undefined) await commands.zRem(this.#key("audit"), [JSON.stringify(begun)]);
    await commands.zRemRangeByRank(this.#key("audit"), 0, -MAX_AUDIT - 1);
  }

  async audit({ beforeMs, limit }: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    const newest = beforeMs === undefined ? "+inf" : `(${beforeMs}`;
    const entries = await this.#redis.commands.zRange(this.#key("audit"), newest, "-inf", {
      BY: "SCORE",
      REV: true,
      LIMIT: { offset: 0, count: limit },
    });
    return entries.map((text) => auditEntrySchema.parse(JSON.parse(text)));
  }

  async takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean> {
    const expiration = { type: "PX", value: Math.max(1, Math.ceil(untilMs - nowMs)) } as const;
    const taken = await this.#redis.commands.set(this.#key(`player:${playerId}`), "1", {
      condition: "NX",
      expiration,
    });
    return taken !== null;
  }

  async extendPlayerId(playerId: string, untilMs: number, nowMs: number): Promise<void> {
    const expiration = { type: "PX", value: Math.max(1, Math.ceil(untilMs - nowMs)) } as const;
    await this.#redis.commands.set(this.#key(`player:${playerId}`), "1", { expiration });
  }

  async presence({ name, key, args }: PresenceCommand): Promise<PresenceReply> {
    const keys = name === "sinter" ? [key, ...args] : [key];
    const [command, given, seconds] = asRedis(name, args);
    const answer = await this.#redis.script({
      script: PRESENCE,
      keys: keys.map((one) => this.#redis.key(this.#prefix, `presence:${one}`, "presence")),
      args: [command, seconds === undefined ? "" : msOf(seconds), ...given],
    });
    const [outcome, reply] = presenceAnswerSchema.parse(answer);
    if (outcome === "error") throw new CentroidError("BAD_REQUEST", `presence: ${String(reply)}`);
    return reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #trim(): Promise<void> {
    const { commands } = this.#redis;
    const beyond = await commands.zRange(this.#key("receipts-by-time"), 0, -MAX_RECEIPTS - 1);
    if (beyond.length === 0) return;
    await commands.hDel(this.#key("receipts"), beyond);
    await commands.zRem(this.#key("receipts-by-time"), beyond);
  }

  /** @throws CentroidError STALE_EPOCH if another broker decides about the room by now */
  async #fenced(script: string, roomId: string, keys: string[], args: string[]): Promise<unknown> {
    const answer = await this.#redis.script({
      script,
      keys: ["shards", ...keys].map((name) => this.#key(name)),
      args: [String(shardOf(roomId)), this.#fence === undefined ? "" : this.#fence.tokenOf(roomId), ...args],
    });
    if (answer !== FENCED) return answer;
    throw new CentroidError(
      "STALE_EPOCH",
      `another broker decides about room ${roomId} by now and goes on from the journal; ask it`,
    );
  }

  #key(name: string): string {
    return this.#redis.key(this.#prefix, name);
  }

  /** Whichever there is, if it is not said which. */
  async #removeCheckpoint(roomId: string, epoch = "", seq = ""): Promise<void> {
    const keys = this.#checkpointKeys(roomId);
    await this.#redis.script({ script: REMOVE_CHECKPOINT, keys, args: [roomId, epoch, seq] });
  }

  /** Checkpoints are most of what is stored: in a cluster they are spread over the nodes by shard, with a list for each. */
  #checkpointKeys(roomId: string): [checkpoint: string, saved: string] {
    const shard = shardOf(roomId);
    return [this.#redis.key(this.#prefix, `checkpoint:${roomId}`, String(shard)), this.#savedKey(shard)];
  }

  #savedKey(shard: number): string {
    return this.#redis.key(this.#prefix, `saved:${shard}`, String(shard));
  }
}
