/** The embedded store: lmdb in a directory of the broker's own, behind a process that waits for the disk. */
import {
  type AuditEntry,
  type PresenceCommand,
  type PresenceReply,
  presenceReads,
  type Receipt,
  shardOf,
} from "@centroid/protocol";
import type { LmdbDatabase } from "./lmdb-database.js";
import type { JournalEntry, RoomRecord, Store, StoredCheckpoint } from "./store.js";
import type { StoreMethod } from "./store-calls.js";
import { StoreProcess } from "./store-process.js";

/** Keeps everything in a directory of its own; one process at a time. */
export class LmdbStore implements Store {
  readonly #process: StoreProcess;

  /**
   * @param path directory; made if it does not exist
   * @param onEnded told why the store's process has ended by itself; the next call starts another one
   */
  constructor(path: string, onEnded: (why: string) => void = () => undefined) {
    this.#process = new StoreProcess(path, onEnded);
  }

  secret(name: string, create: () => string): Promise<string> {
    return this.#call("secret", name, create());
  }

  values(): Promise<ReadonlyMap<string, string>> {
    return this.#call("values");
  }

  putValue(name: string, value: string | undefined): Promise<void> {
    return this.#call("putValue", name, value);
  }

  putRoom(room: RoomRecord): Promise<void> {
    return this.#call("putRoom", room);
  }

  nextEpoch(roomId: string, above: number): Promise<number> {
    return this.#call("nextEpoch", roomId, above);
  }

  removeRoom(roomId: string): Promise<void> {
    return this.#call("removeRoom", roomId);
  }

  /** Goes with whatever else is to be written, or a little later. */
  putCheckpoint(checkpoint: StoredCheckpoint, calledOff = 0): Promise<void> {
    return this.#call("putCheckpoint", checkpoint, calledOff);
  }

  checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#call("checkpoint", roomId);
  }

  async saved(shards: readonly number[]): Promise<string[]> {
    return (await this.#call("saved")).filter((roomId) => shards.includes(shardOf(roomId)));
  }

  removeCheckpoint(checkpoint: Parameters<Store["removeCheckpoint"]>[0]): Promise<void> {
    return this.#call("removeCheckpoint", checkpoint);
  }

  rooms(): Promise<RoomRecord[]> {
    return this.#call("rooms");
  }

  records(roomIds: readonly string[]): Promise<RoomRecord[]> {
    return this.#call("records", roomIds);
  }

  journal(entry: JournalEntry): Promise<void> {
    return this.#call("journal", entry);
  }

  openMigrations(): Promise<JournalEntry[]> {
    return this.#call("openMigrations");
  }

  closeMigration(receipt: Receipt): Promise<void> {
    return this.#call("closeMigration", receipt);
  }

  receipts(filter: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    return this.#call("receipts", filter);
  }

  appendAudit(entry: AuditEntry): Promise<void> {
    return this.#call("appendAudit", entry);
  }

  audit(filter: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    return this.#call("audit", filter);
  }

  takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean> {
    return this.#call("takePlayerId", playerId, untilMs, nowMs);
  }

  extendPlayerId(playerId: string, untilMs: number): Promise<void> {
    return this.#call("extendPlayerId", playerId, untilMs);
  }

  presence(command: PresenceCommand, nowMs: number): Promise<PresenceReply> {
    return this.#call(presenceReads(command) ? "readPresence" : "presence", command, nowMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }

  #call<M extends StoreMethod>(
    method: M,
    ...args: Parameters<LmdbDatabase[M]>
  ): Promise<Awaited<ReturnType<LmdbDatabase[M]>>> {
    return this.#process.call(method, args) as Promise<Awaited<ReturnType<LmdbDatabase[M]>>>;
  }
}
