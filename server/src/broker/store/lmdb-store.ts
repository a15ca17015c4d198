/** The embedded store: lmdb in a directory of the broker's own. Writes of one tick share a transaction. */
import type { AuditEntry, Receipt } from "@centroid/protocol";
import { type Database, open, type RootDatabase } from "lmdb";
import { assertNotStale } from "./memory-store.js";
import {
  isNewer,
  type JournalEntry,
  MAX_AUDIT,
  MAX_RECEIPTS,
  type RoomRecord,
  type Store,
  type StoredCheckpoint,
} from "./store.js";

/** Receipts and audit entries sort by time, then id. */
type TimedKey = [atMs: number, id: string];

/** Keeps everything in a directory of its own; one process at a time. */
export class LmdbStore implements Store {
  readonly #root: RootDatabase;
  readonly #secrets: Database<string, string>;
  readonly #rooms: Database<RoomRecord, string>;
  readonly #open: Database<JournalEntry, string>;
  readonly #receipts: Database<Receipt, TimedKey>;
  readonly #audit: Database<AuditEntry, TimedKey>;
  readonly #checkpoints: Database<StoredCheckpoint, string>;
  #receiptCount: number;
  #auditCount: number;

  /** @param path directory; made if it does not exist */
  constructor(path: string) {
    this.#root = open({ path, maxDbs: 8 });
    // `cache` makes what this process wrote readable before it is on disk.
    this.#secrets = this.#root.openDB({ name: "secrets", cache: true });
    this.#rooms = this.#root.openDB({ name: "rooms", cache: true });
    this.#open = this.#root.openDB({ name: "journal", cache: true });
    this.#receipts = this.#root.openDB({ name: "receipts" });
    this.#audit = this.#root.openDB({ name: "audit" });
    this.#checkpoints = this.#root.openDB({ name: "checkpoints", cache: true });
    this.#receiptCount = this.#receipts.getKeysCount();
    this.#auditCount = this.#audit.getKeysCount();
  }

  async secret(name: string, create: () => string): Promise<string> {
    return this.#root.transaction(() => {
      const known = this.#secrets.get(name);
      if (known !== undefined) return known;
      const secret = create();
      this.#secrets.put(name, secret);
      return secret;
    });
  }

  async putRoom(room: RoomRecord): Promise<void> {
    assertNotStale(room, this.#rooms.get(room.roomId));
    await this.#rooms.put(room.roomId, room);
  }

  async removeRoom(roomId: string): Promise<void> {
    await Promise.all([this.#rooms.remove(roomId), this.#checkpoints.remove(roomId)]);
  }

  async putCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    const { roomId } = checkpoint;
    if (isNewer(checkpoint, this.#checkpoints.get(roomId))) await this.#checkpoints.put(roomId, checkpoint);
  }

  async checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#checkpoints.get(roomId);
  }

  async rooms(): Promise<RoomRecord[]> {
    await this.#root.committed;
    return [...this.#rooms.getRange().map(({ value }) => value)];
  }

  async journal(entry: JournalEntry): Promise<void> {
    await this.#open.put(entry.migrationId, entry);
  }

  async openMigrations(): Promise<JournalEntry[]> {
    await this.#root.committed;
    return [...this.#open.getRange().map(({ value }) => value)];
  }

  async closeMigration(receipt: Receipt): Promise<void> {
    await this.#root.transaction(() => {
      this.#open.remove(receipt.migrationId);
      const key: TimedKey = [receipt.startedAtMs, receipt.migrationId];
      if (!this.#receipts.doesExist(key)) this.#receiptCount++;
      this.#receipts.put(key, receipt);
      while (this.#receiptCount > MAX_RECEIPTS) {
        const [oldest] = this.#receipts.getKeys({ limit: 1 });
        if (oldest === undefined) break;
        this.#receipts.remove(oldest);
        this.#receiptCount--;
      }
    });
  }

  async receipts({ roomId, limit }: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    const found: Receipt[] = [];
    for (const { value } of this.#receipts.getRange({ reverse: true })) {
      if (found.length >= limit) break;
      if (roomId === undefined || value.roomId === roomId) found.push(value);
    }
    return found;
  }

  async appendAudit(entry: AuditEntry): Promise<void> {
    await this.#root.transaction(() => {
      this.#audit.put([entry.atMs, entry.auditId], entry);
      if (++this.#auditCount <= MAX_AUDIT) return;
      const [oldest] = this.#audit.getKeys({ limit: 1 });
      if (oldest === undefined) return;
      this.#audit.remove(oldest);
      this.#auditCount--;
    });
  }

  async audit({ beforeMs, limit }: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    const from = beforeMs === undefined ? {} : { start: [beforeMs, ""] as TimedKey };
    return [...this.#audit.getRange({ ...from, reverse: true, limit }).map(({ value }) => value)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#root.close();
  }
}
