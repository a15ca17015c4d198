/** A store for one process' lifetime. */
import {
  type AuditEntry,
  type PresenceCommand,
  type PresenceReply,
  type Receipt,
  shardOf,
} from "@centroid/protocol";
import { carryOut, type PresenceEntry } from "./presence-keys.js";
import type { JournalEntry, RoomRecord, Store, StoredCheckpoint } from "./store.js";
import {
  assertNotStale,
  isNewer,
  MAX_AUDIT,
  MAX_PLAYER_IDS,
  MAX_RECEIPTS,
  PLAYER_ID_SWEEP,
} from "./store-rules.js";

/** Forgets everything when its process ends. */
export class MemoryStore implements Store {
  readonly #secrets = new Map<string, string>();
  readonly #values = new Map<string, string>();
  readonly #rooms = new Map<string, RoomRecord>();
  readonly #epochs = new Map<string, number>();
  readonly #open = new Map<string, JournalEntry>();
  readonly #receipts: Receipt[] = [];
  readonly #audit: AuditEntry[] = [];
  readonly #checkpoints = new Map<string, StoredCheckpoint>();
  /** With until when each is given out. */
  readonly #playerIds = new Map<string, number>();
  #taken = 0;
  readonly #presence = new Map<string, PresenceEntry>();

  async secret(name: string, create: () => string): Promise<string> {
    let secret = this.#secrets.get(name);
    if (secret === undefined) {
      secret = create();
      this.#secrets.set(name, secret);
    }
    return secret;
  }

  async values(): Promise<ReadonlyMap<string, string>> {
    return new Map(this.#values);
  }

  async putValue(name: string, value: string | undefined): Promise<void> {
    if (value === undefined) this.#values.delete(name);
    else this.#values.set(name, value);
  }

  async putRoom(room: RoomRecord): Promise<void> {
    assertNotStale(room, this.#rooms.get(room.roomId));
    this.#rooms.set(room.roomId, { ...room });
  }

  async nextEpoch(roomId: string, above: number): Promise<number> {
    const epoch = Math.max(above, this.#epochs.get(roomId) ?? 0) + 1;
    this.#epochs.set(roomId, epoch);
    return epoch;
  }

  async removeRoom(roomId: string): Promise<void> {
    this.#rooms.delete(roomId);
    this.#epochs.delete(roomId);
    this.#checkpoints.delete(roomId);
  }

  async putCheckpoint(checkpoint: StoredCheckpoint, calledOff?: number): Promise<void> {
    if (isNewer(checkpoint, this.#checkpoints.get(checkpoint.roomId), calledOff))
      this.#checkpoints.set(checkpoint.roomId, checkpoint);
  }

  async checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#checkpoints.get(roomId);
  }

  async saved(shards: readonly number[]): Promise<string[]> {
    return [...this.#checkpoints.keys()].filter((roomId) => shards.includes(shardOf(roomId)));
  }

  async removeCheckpoint({ roomId, epoch, seq }: Parameters<Store["removeCheckpoint"]>[0]): Promise<void> {
    const known = this.#checkpoints.get(roomId);
    if (known?.epoch === epoch && known.seq === seq) this.#checkpoints.delete(roomId);
  }

  async rooms(): Promise<RoomRecord[]> {
    return [...this.#rooms.values()];
  }

  async records(roomIds: readonly string[]): Promise<RoomRecord[]> {
    return roomIds.map((roomId) => this.#rooms.get(roomId)).filter((record) => record !== undefined);
  }

  async journal(entry: JournalEntry): Promise<void> {
    this.#open.set(entry.migrationId, { ...entry });
  }

  async openMigrations(): Promise<JournalEntry[]> {
    return [...this.#open.values()];
  }

  async closeMigration(receipt: Receipt): Promise<void> {
    this.#open.delete(receipt.migrationId);
    const known = this.#receipts.findIndex(({ migrationId }) => migrationId === receipt.migrationId);
    if (known >= 0) this.#receipts[known] = receipt;
    else this.#receipts.push(receipt);
    if (this.#receipts.length > MAX_RECEIPTS) this.#receipts.shift();
  }

  async receipts({ roomId, limit }: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    const matching = this.#receipts.filter((receipt) => roomId === undefined || receipt.roomId === roomId);
    return matching.slice(-limit).reverse();
  }

  async appendAudit(entry: AuditEntry, begun?: AuditEntry): Promise<void> {
    const known = begun === undefined ? -1 : this.#audit.indexOf(begun);
    if (known >= 0) this.#audit[known] = entry;
    else this.#audit.push(entry);
    if (this.#audit.length > MAX_AUDIT) this.#audit.shift();
  }

  async audit({ beforeMs, limit }: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    const earlier = this.#audit.filter(({ atMs }) => beforeMs === undefined || atMs < beforeMs);
    return earlier.slice(-limit).reverse();
  }

  async takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean> {
    if ((this.#playerIds.get(playerId) ?? 0) > nowMs) return false;
    if (++this.#taken % PLAYER_ID_SWEEP === 0)
      for (const [id, until] of this.#playerIds) if (until <= nowMs) this.#playerIds.delete(id);
    if (this.#playerIds.size >= MAX_PLAYER_IDS) return false;
    this.#playerIds.set(playerId, untilMs);
    return true;
  }

  async extendPlayerId(playerId: string, untilMs: number): Promise<void> {
    this.#playerIds.set(playerId, Math.max(untilMs, this.#playerIds.get(playerId) ?? 0));
  }

  async presence(command: PresenceCommand, nowMs: number): Promise<PresenceReply> {
    return carryOut(
      {
        get: (key) => this.#presence.get(key),
        set: (key, entry) => this.#presence.set(key, entry),
        remove: (key) => this.#presence.delete(key),
        all: () => this.#presence,
        count: () => this.#presence.size,
      },
      command,
      nowMs,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
