/**
 * What the embedded store keeps and how: lmdb in a directory of its own. Everything here is synchronous, because lmdb's
 * asynchronous writes reject promises that nobody can reach when the disk is full; a process of its own waits for the disk.
 */
import { accessSync, chmodSync, constants, existsSync, statfsSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry, PresenceCommand, PresenceReply, Receipt } from "@centroid/protocol";
import { type Database, open, type RootDatabase } from "lmdb";
import { carryOut, type PresenceEntry } from "./presence-keys.js";
import type { JournalEntry, RoomRecord, StoredCheckpoint } from "./store.js";
import {
  assertNotStale,
  isNewer,
  MAX_AUDIT,
  MAX_PLAYER_IDS,
  MAX_RECEIPTS,
  PLAYER_ID_SWEEP,
} from "./store-rules.js";

/** Receipts and audit entries sort by time, then id. */
type TimedKey = [atMs: number, id: string];

const FILES = ["data.mdb", "lock.mdb"];
/** Tokens and players' states are nobody else's. */
const FILE_MODE = 0o600;
/** What the small values of one transaction, and the pages above them, need at most. */
const RESERVE_BYTES = 1024 * 1024;

export class LmdbDatabase {
  readonly #path: string;
  readonly #root: RootDatabase;
  readonly #secrets: Database<string, string>;
  readonly #values: Database<string, string>;
  readonly #rooms: Database<RoomRecord, string>;
  readonly #epochs: Database<number, string>;
  readonly #open: Database<JournalEntry, string>;
  readonly #receipts: Database<Receipt, TimedKey>;
  readonly #audit: Database<AuditEntry, TimedKey>;
  readonly #checkpoints: Database<StoredCheckpoint, string>;
  /** With until when each is given out. */
  readonly #playerIds: Database<number, string>;
  #playerIdsTaken = 0;
  readonly #presence: Database<PresenceEntry, string>;

  /** @param path directory; made if it does not exist */
  constructor(path: string) {
    this.#path = path;
    this.#root = open({ path, maxDbs: 16 });
    for (const file of FILES) {
      const name = join(path, file);
      if (existsSync(name)) chmodSync(name, FILE_MODE);
    }
    this.#secrets = this.#root.openDB({ name: "secrets" });
    this.#values = this.#root.openDB({ name: "values" });
    this.#rooms = this.#root.openDB({ name: "rooms" });
    this.#epochs = this.#root.openDB({ name: "epochs" });
    this.#open = this.#root.openDB({ name: "journal" });
    this.#receipts = this.#root.openDB({ name: "receipts" });
    this.#audit = this.#root.openDB({ name: "audit" });
    this.#checkpoints = this.#root.openDB({ name: "checkpoints" });
    this.#playerIds = this.#root.openDB({ name: "player-ids" });
    this.#presence = this.#root.openDB({ name: "presence" });
  }

  /**
   * All of it or nothing is written; it is on the disk when this returns.
   * @param bytes of the large values among it
   */
  transaction(work: () => void, bytes = 0): void {
    this.#assertSpace(bytes);
    this.#root.transactionSync(work);
  }

  /** Asked before: lmdb's own message about a write that failed overruns its buffer, which ends the process. */
  #assertSpace(bytes: number): void {
    accessSync(this.#path, constants.W_OK);
    const { bavail, bsize } = statfsSync(this.#path);
    if (bavail * bsize < RESERVE_BYTES + 2 * bytes)
      throw Object.assign(new Error("no space left on the store's disk"), { code: "ENOSPC" });
  }

  secret(name: string, fresh: string): string {
    const known = this.#secrets.get(name);
    if (known !== undefined) return known;
    this.#secrets.putSync(name, fresh);
    return fresh;
  }

  values(): ReadonlyMap<string, string> {
    return new Map([...this.#values.getRange()].map(({ key, value }) => [key, value]));
  }

  putValue(name: string, value: string | undefined): void {
    if (value === undefined) this.#values.removeSync(name);
    else this.#values.putSync(name, value);
  }

  putRoom(room: RoomRecord): void {
    assertNotStale(room, this.#rooms.get(room.roomId));
    this.#rooms.putSync(room.roomId, room);
  }

  nextEpoch(roomId: string, above: number): number {
    const epoch = Math.max(above, this.#epochs.get(roomId) ?? 0) + 1;
    this.#epochs.putSync(roomId, epoch);
    return epoch;
  }

  removeRoom(roomId: string): void {
    this.#rooms.removeSync(roomId);
    this.#epochs.removeSync(roomId);
    this.#checkpoints.removeSync(roomId);
  }

  putCheckpoint(checkpoint: StoredCheckpoint, calledOff: number): void {
    const { roomId } = checkpoint;
    if (isNewer(checkpoint, this.#checkpoints.get(roomId), calledOff))
      this.#checkpoints.putSync(roomId, checkpoint);
  }

  checkpoint(roomId: string): StoredCheckpoint | undefined {
    return this.#checkpoints.get(roomId);
  }

  saved(): string[] {
    return [...this.#checkpoints.getKeys()];
  }

  removeCheckpoint({ roomId, epoch, seq }: Pick<StoredCheckpoint, "roomId" | "epoch" | "seq">): void {
    const known = this.#checkpoints.get(roomId);
    if (known?.epoch === epoch && known.seq === seq) this.#checkpoints.removeSync(roomId);
  }

  rooms(): RoomRecord[] {
    return [...this.#rooms.getRange().map(({ value }) => value)];
  }

  records(roomIds: readonly string[]): RoomRecord[] {
    return roomIds.map((roomId) => this.#rooms.get(roomId)).filter((record) => record !== undefined);
  }

  journal(entry: JournalEntry): void {
    this.#open.putSync(entry.migrationId, entry);
  }

  openMigrations(): JournalEntry[] {
    return [...this.#open.getRange().map(({ value }) => value)];
  }

  closeMigration(receipt: Receipt): void {
    this.#open.removeSync(receipt.migrationId);
    this.#receipts.putSync([receipt.startedAtMs, receipt.migrationId], receipt);
    dropOldest(this.#receipts, MAX_RECEIPTS);
  }

  receipts({ roomId, limit }: { roomId?: string | undefined; limit: number }): Receipt[] {
    const found: Receipt[] = [];
    for (const { value } of this.#receipts.getRange({ reverse: true })) {
      if (found.length >= limit) break;
      if (roomId === undefined || value.roomId === roomId) found.push(value);
    }
    return found;
  }

  appendAudit(entry: AuditEntry): void {
    this.#audit.putSync([entry.atMs, entry.auditId], entry);
    dropOldest(this.#audit, MAX_AUDIT);
  }

  audit({ beforeMs, limit }: { beforeMs?: number | undefined; limit: number }): AuditEntry[] {
    const from = beforeMs === undefined ? {} : { start: [beforeMs, ""] as TimedKey };
    return [...this.#audit.getRange({ ...from, reverse: true, limit }).map(({ value }) => value)];
  }

  takePlayerId(playerId: string, untilMs: number, nowMs: number): boolean {
    if ((this.#playerIds.get(playerId) ?? 0) > nowMs) return false;
    if (++this.#playerIdsTaken % PLAYER_ID_SWEEP === 0) this.#freePlayerIds(nowMs);
    if (countOf(this.#playerIds) >= MAX_PLAYER_IDS) return false;
    this.#playerIds.putSync(playerId, untilMs);
    return true;
  }

  #freePlayerIds(nowMs: number): void {
    const ended = this.#playerIds.getRange().filter(({ value }) => value <= nowMs);
    for (const key of [...ended.map(({ key }) => key)]) this.#playerIds.removeSync(key);
  }

  extendPlayerId(playerId: string, untilMs: number): void {
    if ((this.#playerIds.get(playerId) ?? 0) < untilMs) this.#playerIds.putSync(playerId, untilMs);
  }

  presence(command: PresenceCommand, nowMs: number): PresenceReply {
    const keys = this.#presence;
    return carryOut(
      {
        get: (key) => keys.get(key),
        set: (key, entry) => keys.putSync(key, entry),
        remove: (key) => keys.removeSync(key),
        all: () => keys.getRange().map(({ key, value }) => [key, value] as const),
        count: () => countOf(keys),
      },
      command,
      nowMs,
    );
  }

  /** The same of a command that changes nothing, which needs no transaction. */
  readPresence(command: PresenceCommand, nowMs: number): PresenceReply {
    return this.presence(command, nowMs);
  }

  close(): Promise<void> {
    return this.#root.close();
  }
}

function countOf(entries: { getStats(): unknown }): number {
  const stats = entries.getStats();
  if (
    typeof stats === "object" &&
    stats !== null &&
    "entryCount" in stats &&
    typeof stats.entryCount === "number"
  )
    return stats.entryCount;
  throw new TypeError("lmdb does not say how many entries there are");
}

/** @param max entries that may stay */
function dropOldest<V>(entries: Database<V, TimedKey>, max: number): void {
  const entryCount = countOf(entries);
  if (entryCount <= max) return;
  for (const oldest of [...entries.getKeys({ limit: entryCount - max })]) entries.removeSync(oldest);
}
