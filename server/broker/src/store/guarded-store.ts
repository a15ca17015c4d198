/**
 * A store whose disk may be full, read-only or broken for a while. Moves and orders are refused until it can be written
 * again, because nobody could tell later what became of them; joins and failover go on, and what they would have stored
 * is stored as soon as a trial write gets through.
 */
import { type AuditEntry, CentroidError, type Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import {
  type JournalEntry,
  MAX_RECEIPTS,
  type RoomRecord,
  type Store,
  type StoredCheckpoint,
} from "./store.js";

const RETRY_MS = 1_000;
/** More than lmdb may find room for in pages that it has freed. */
const TRIAL_BYTES = 256 * 1024;
const TRIAL_ROOM_ID = "trial-write";

type Fault = "ENOSPC" | "EDQUOT" | "EROFS" | "EIO";
/** What lmdb says: the system's numbers, and two of its own. */
const LMDB_FAULTS: ReadonlyMap<number, Fault> = new Map([
  [28, "ENOSPC"],
  [122, "EDQUOT"],
  [30, "EROFS"],
  [5, "EIO"],
  [-30792, "ENOSPC"],
  [-30795, "EIO"],
]);

export interface GuardedStoreOptions {
  inner: Store;
  /** What the operator knows it by. */
  where: string;
  clock: Clock;
  logger: Logger;
}

export class GuardedStore implements Store {
  readonly #options: GuardedStoreOptions;
  /** Why it cannot be written now. */
  #refusal: CentroidError | undefined;
  #faults = 0;
  #trials = 0;
  #cancelTrial: (() => void) | undefined;
  #onRecovered: () => Promise<void> = () => Promise.resolve();
  /** Of moves and failovers that ended meanwhile. */
  readonly #owed = new Map<string, Receipt>();
  /** Given out while it could not be written; by room. */
  readonly #epochs = new Map<string, number>();

  constructor(options: GuardedStoreOptions) {
    this.#options = options;
  }

  /** Why it cannot be written just now, and what to do; nothing if it can. */
  get trouble(): string | undefined {
    return this.#refusal?.message;
  }

  /** Writes that failed since the start. */
  get faults(): number {
    return this.#faults;
  }

  /** Called when it can be written again: what rooms there are, and where, has to be stored anew. */
  onRecovered(restore: () => Promise<void>): void {
    this.#onRecovered = restore;
  }

  /** @throws CentroidError STORE_UNAVAILABLE while it cannot be written */
  assertWritable(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** No more trials. */
  stop(): void {
    this.#cancelTrial?.();
  }

  secret(name: string, create: () => string): Promise<string> {
    return this.#mustWrite(() => this.#options.inner.secret(name, create));
  }

  putRoom(room: RoomRecord): Promise<void> {
    return this.#writeOrOwe(() => this.#options.inner.putRoom(room));
  }

  removeRoom(roomId: string): Promise<void> {
    this.#epochs.delete(roomId);
    return this.#writeOrOwe(() => this.#options.inner.removeRoom(roomId));
  }

  /**
   * Rescues go on without a disk: this broker is the only one on its store, so its memory holds what it has given
   * out. Moves were refused before they came here.
   */
  async nextEpoch(roomId: string, above: number): Promise<number> {
    const least = Math.max(above, this.#epochs.get(roomId) ?? 0);
    if (this.#refusal === undefined) {
      try {
        return await this.#options.inner.nextEpoch(roomId, least);
      } catch (cause) {
        if (this.#failed(cause) === undefined) throw cause;
      }
    }
    this.#epochs.set(roomId, least + 1);
    return least + 1;
  }

  putCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.putCheckpoint(checkpoint));
  }

  checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#options.inner.checkpoint(roomId);
  }

  rooms(): Promise<RoomRecord[]> {
    return this.#options.inner.rooms();
  }

  journal(entry: JournalEntry): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.journal(entry));
  }

  openMigrations(): Promise<JournalEntry[]> {
    return this.#options.inner.openMigrations();
  }

  closeMigration(receipt: Receipt): Promise<void> {
    return this.#writeOrOwe(
      () => this.#options.inner.closeMigration(receipt),
      () => {
        this.#owed.set(receipt.migrationId, receipt);
        const [oldest] = this.#owed.keys();
        if (this.#owed.size > MAX_RECEIPTS && oldest !== undefined) this.#owed.delete(oldest);
      },
    );
  }

  receipts(filter: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    return this.#options.inner.receipts(filter);
  }

  takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean> {
    return this.#mustWrite(() => this.#options.inner.takePlayerId(playerId, untilMs, nowMs));
  }

  extendPlayerId(playerId: string, untilMs: number, nowMs: number): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.extendPlayerId(playerId, untilMs, nowMs));
  }

  appendAudit(entry: AuditEntry, begun?: AuditEntry): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.appendAudit(entry, begun));
  }

  audit(filter: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]> {
    return this.#options.inner.audit(filter);
  }

  /** It stays its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  async #mustWrite<T>(write: () => Promise<T>): Promise<T> {
    this.assertWritable();
    try {
      return await write();
    } catch (cause) {
      throw this.#failed(cause) ?? cause;
    }
  }

  async #writeOrOwe(write: () => Promise<void>, owe: () => void = () => undefined): Promise<void> {
    if (this.#refusal !== undefined) {
      owe();
      return;
    }
    try {
      await write();
    } catch (cause) {
      if (this.#failed(cause) === undefined) throw cause;
      owe();
    }
  }

  /** @returns what the caller is told, if the disk is to blame */
  #failed(cause: unknown): CentroidError | undefined {
    const fault = faultOf(cause);
    if (fault === undefined) return undefined;
    this.#faults++;
    const { where, clock, logger } = this.#options;
    const refusal = new CentroidError(
      "STORE_UNAVAILABLE",
      `${where} cannot be written (${fault}): ${remedy(fault)}; until then rooms stay where they are and orders are refused`,
      { cause },
    );
    if (this.#refusal === undefined) {
      logger.error({ cause }, refusal.message);
      this.#cancelTrial = clock.after(RETRY_MS, () => void this.#try());
    }
    this.#refusal = refusal;
    return refusal;
  }

  /** Writes something, and if that works all that is owed. */
  async #try(): Promise<void> {
    const { inner, clock, logger, where } = this.#options;
    try {
      const data = new Uint8Array(TRIAL_BYTES);
      const seq = ++this.#trials;
      await inner.putCheckpoint({ roomId: TRIAL_ROOM_ID, epoch: 1, seq, takenAtMs: clock.now(), data });
      await inner.removeRoom(TRIAL_ROOM_ID);
      for (const [migrationId, receipt] of this.#owed) {
        await inner.closeMigration(receipt);
        this.#owed.delete(migrationId);
      }
      this.#refusal = undefined;
      logger.warn({}, `${where} can be written again`);
      await this.#onRecovered();
    } catch (cause) {
      if (this.#refusal === undefined) {
        if (this.#failed(cause) === undefined)
          logger.error({ cause }, "not all that is owed could be stored");
        return;
      }
      this.#failed(cause);
      this.#cancelTrial = clock.after(RETRY_MS, () => void this.#try());
    }
  }
}

function faultOf(cause: unknown): Fault | undefined {
  if (!(cause instanceof Error) || !("code" in cause)) return undefined;
  const { code } = cause;
  if (typeof code === "number") return LMDB_FAULTS.get(code);
  return [...LMDB_FAULTS.values()].find((fault) => fault === code);
}

function remedy(fault: Fault): string {
  switch (fault) {
    case "ENOSPC":
    case "EDQUOT":
      return "free some space on its disk";
    case "EROFS":
      return "mount its file system for writing";
    case "EIO":
      return "its disk fails; look at the kernel's log";
    default: {
      const never: never = fault;
      throw new RangeError(`unknown fault ${String(never)}`);
    }
  }
}
