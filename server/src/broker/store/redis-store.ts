/** The shared store: Redis, for brokers on several machines. What must be one step is one script there. */
import {
  type AuditEntry,
  auditEntrySchema,
  CentroidError,
  type Receipt,
  receiptSchema,
} from "@centroid/protocol";
import { z } from "zod";
import { type Cluster, shardOf } from "../cluster/cluster.js";
import type { RedisClient } from "../redis.js";
import { assertNotStale } from "./memory-store.js";
import { CLOSE_MIGRATION, FENCED, JOURNAL, PUT_CHECKPOINT, PUT_ROOM } from "./redis-store-scripts.js";
import {
  type JournalEntry,
  journalEntrySchema,
  MAX_AUDIT,
  MAX_RECEIPTS,
  type RoomRecord,
  roomRecordSchema,
  type Store,
  type StoredCheckpoint,
} from "./store.js";

/** Phases kept in the stream, for those who want to know how moves went. */
const MAX_JOURNAL_ENTRIES = 10_000;

const checkpointSchema = z.object({
  epoch: z.coerce.number(),
  seq: z.coerce.number(),
  takenAtMs: z.coerce.number(),
  data: z.string(),
});

/** A store in Redis, shared by several brokers. */
export class RedisStore implements Store {
  readonly #client: RedisClient;
  readonly #prefix: string;
  readonly #fence: Pick<Cluster, "tokenOf"> | undefined;

  /**
   * @param client connected; it stays the caller's to close
   * @param prefix of every key: one per deployment on this Redis
   * @param fence whose tokens writes about rooms are checked by; no check if not given
   */
  constructor(client: RedisClient, prefix = "centroid:", fence?: Pick<Cluster, "tokenOf">) {
    this.#client = client;
    this.#prefix = prefix;
    this.#fence = fence;
  }

  async secret(name: string, create: () => string): Promise<string> {
    await this.#client.hSetNX(this.#key("secrets"), name, create());
    const secret = await this.#client.hGet(this.#key("secrets"), name);
    if (secret === null) throw new CentroidError("INTERNAL", `Redis lost the secret "${name}"; try again`);
    return secret;
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

  async removeRoom(roomId: string): Promise<void> {
    await this.#client
      .multi()
      .hDel(this.#key("rooms"), roomId)
      .del(this.#key(`checkpoint:${roomId}`))
      .exec();
  }

  async rooms(): Promise<RoomRecord[]> {
    const rooms = await this.#client.hVals(this.#key("rooms"));
    return rooms.map((text) => roomRecordSchema.parse(JSON.parse(text)));
  }

  async putCheckpoint({ roomId, epoch, seq, takenAtMs, data }: StoredCheckpoint): Promise<void> {
    await this.#client.eval(PUT_CHECKPOINT, {
      keys: [this.#key(`checkpoint:${roomId}`)],
      arguments: [
        String(epoch),
        String(seq),
        String(takenAtMs),
        Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64"),
      ],
    });
  }

  async checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    const found = await this.#client.hGetAll(this.#key(`checkpoint:${roomId}`));
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
    const entries = await this.#client.hVals(this.#key("open"));
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
      const ids = await this.#client.zRange(this.#key("receipts-by-time"), from, from + page - 1, {
        REV: true,
      });
      if (ids.length === 0) break;
      for (const text of await this.#client.hmGet(this.#key("receipts"), ids)) {
        if (text === null) continue;
        const receipt = receiptSchema.parse(JSON.parse(text));
        if (found.length < limit && (roomId === undefined || receipt.roomId === roomId)) found.push(receipt);
      }
    }
    return found;
  }

  async appendAudit(entry: AuditEntry, begun?: AuditEntry): Promise<void> {
    await this.#client
      .multi()
      .zRem(this.#key("audit"), begun === undefined ? "" : JSON.stringify(begun))
      .zAdd(this.#key("audit"), { score: entry.atMs, value: JSON.stringify(entry) })
      .zRemRangeByRank(this.#key("audit"), 0, -MAX_AUDIT - 1)
      .exec();
  }

  async audit({ beforeMs, limit }: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    const newest = beforeMs === undefined ? "+inf" : `(${beforeMs}`;
    const entries = await this.#client.zRange(this.#key("audit"), newest, "-inf", {
      BY: "SCORE",
      REV: true,
      LIMIT: { offset: 0, count: limit },
    });
    return entries.map((text) => auditEntrySchema.parse(JSON.parse(text)));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #trim(): Promise<void> {
    const beyond = await this.#client.zRange(this.#key("receipts-by-time"), 0, -MAX_RECEIPTS - 1);
    if (beyond.length === 0) return;
    await this.#client
      .multi()
      .hDel(this.#key("receipts"), beyond)
      .zRem(this.#key("receipts-by-time"), beyond)
      .exec();
  }

  /** @throws CentroidError STALE_EPOCH if another broker decides about the room by now */
  async #fenced(script: string, roomId: string, keys: string[], args: string[]): Promise<unknown> {
    const token = this.#fence === undefined ? "" : String(this.#fence.tokenOf(roomId));
    try {
      return await this.#client.eval(script, {
        keys: ["shards", ...keys].map((name) => this.#key(name)),
        arguments: [String(shardOf(roomId)), token, ...args],
      });
    } catch (cause) {
      if (!(cause instanceof Error && cause.message.startsWith(FENCED))) throw cause;
      throw new CentroidError(
        "STALE_EPOCH",
        `another broker decides about room ${roomId} by now and goes on from the journal; ask it`,
        { cause },
      );
    }
  }

  #key(name: string): string {
    return this.#prefix + name;
  }
}
