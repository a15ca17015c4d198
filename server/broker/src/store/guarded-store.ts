/**
 * A store that cannot be written for a while: its disk is full, read-only or broken, or its Redis is away. Moves and
 * orders are refused until it can be written again, because nobody could tell later what became of them; joins and
 * failover go on, and what they would have stored is stored as soon as a trial write gets through.
 *
 * A broker alone on its store does not even try meanwhile: its memory holds what the store should. Among others each
 * write is tried, since another broker may have to go on from it, and only what can wait is owed.
 */
import {
  type AuditEntry,
  CentroidError,
  forgetOldest,
  type PresenceCommand,
  type PresenceReply,
  presenceReads,
  type Receipt,
} from "@centroid/protocol";
import { diskFaultOf } from "@centroid/protocol/node";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import { OwedCheckpoints } from "./owed-checkpoints.js";
import type { JournalEntry, RoomRecord, Store, StoredCheckpoint } from "./store.js";
import { MAX_RECEIPTS } from "./store-rules.js";

const FIRST_RETRY_MS = 250;
const RETRY_MS = 1_000;
/** More than lmdb may find room for in pages that it has freed. */
const TRIAL_BYTES = 256 * 1024;
const TRIAL_ROOM_ID = "trial-write";

export interface GuardedStoreOptions {
  inner: Store;
  /** What the operator knows it by. */
  where: string;
  /** Other brokers write to it as well. */
  shared: boolean;
  clock: Clock;
  logger: Logger;
}

export class GuardedStore implements Store {
  readonly #options: GuardedStoreOptions;
  /** Why it cannot be written now. */
  #refusal: CentroidError | undefined;
  #faults = 0;
  #trials = 0;
  #stopped = false;
  #cancelTrial: (() => void) | undefined;
  #rewrite: (store: Pick<Store, "putRoom">) => Promise<void> = () => Promise.resolve();
  /** A room's record was not written: all are, once that works. */
  #recordsOwed = false;
  /** Of moves and failovers that ended meanwhile. */
  readonly #receiptsOwed = new Map<string, Receipt>();
  /** Rooms that ended meanwhile. */
  readonly #removalsOwed = new Set<string>();
  readonly #checkpointsOwed = new OwedCheckpoints();
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

  /** Called when it can be written again: what rooms there are, and where, has to be stored anew there. */
  onRecovered(rewrite: (store: Pick<Store, "putRoom">) => Promise<void>): void {
    this.#rewrite = rewrite;
  }

  /** @throws CentroidError STORE_UNAVAILABLE while it cannot be written */
  assertWritable(): void {
    if (this.#refusal !== undefined) throw this.#refusal;
  }

  /** No more trials. */
  stop(): void {
    this.#stopped = true;
    this.#checkpointsOwed[Symbol.dispose]();
    this.#cancelTrial?.();
  }

  secret(name: string, create: () => string): Promise<string> {
    return this.#mustWrite(() => this.#options.inner.secret(name, create));
  }

  values(): Promise<ReadonlyMap<string, string>> {
    return this.#read(() => this.#options.inner.values());
  }

  putValue(name: string, value: string | undefined): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.putValue(name, value));
  }

  /** @throws CentroidError STORE_UNAVAILABLE if it is shared and not written; what is right then is written later */
  async putRoom(room: RoomRecord): Promise<void> {
    // A room that ended there and was made again elsewhere: what is owed would remove that one.
    this.#removalsOwed.delete(room.roomId);
    const refusal = await this.#writeOrOwe(
      () => this.#options.inner.putRoom(room),
      () => {
        this.#recordsOwed = true;
      },
    );
    if (refusal !== undefined && this.#options.shared) throw refusal;
  }

  async removeRoom(roomId: string): Promise<void> {
    this.#epochs.delete(roomId);
    this.#checkpointsOwed.drop(roomId);
    await this.#writeOrOwe(
      () => this.#options.inner.removeRoom(roomId),
      () => this.#removalsOwed.add(roomId),
    );
  }

  /**
   * Rescues go on without a disk, if this broker is the only one on its store: its memory holds what it has given
   * out. Moves were refused before they came here.
   */
  async nextEpoch(roomId: string, above: number): Promise<number> {
    // Whoever builds the room again does so from what is stored now.
    this.#checkpointsOwed.drop(roomId);
    const least = Math.max(above, this.#epochs.get(roomId) ?? 0);
    const { shared, inner } = this.#options;
    if (shared) return this.#mustWrite(() => inner.nextEpoch(roomId, least));
    if (this.#refusal === undefined) {
      try {
        return await inner.nextEpoch(roomId, least);
      } catch (cause) {
        if (this.#failed(cause) === undefined) throw cause;
      }
    }
    this.#epochs.set(roomId, least + 1);
    return least + 1;
  }

  /**
   * Resolves when it is stored, also if that is later.
   * @throws CentroidError STORE_UNAVAILABLE if the next one of that room comes first, or another owner
   */
  async putCheckpoint(checkpoint: StoredCheckpoint, calledOff?: number): Promise<void> {
    // A later one says all that one said.
    this.#checkpointsOwed.drop(checkpoint.roomId);
    const refusal = await this.#writeOrOwe(
      () => this.#options.inner.putCheckpoint(checkpoint, calledOff),
      () => undefined,
    );
    if (refusal !== undefined) await this.#checkpointsOwed.owe(checkpoint, calledOff, refusal);
  }

  checkpoint(roomId: string): Promise<StoredCheckpoint | undefined> {
    return this.#read(() => this.#options.inner.checkpoint(roomId));
  }

  saved(shards: readonly number[]): Promise<string[]> {
    return this.#read(() => this.#options.inner.saved(shards));
  }

  removeCheckpoint(checkpoint: Parameters<Store["removeCheckpoint"]>[0]): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.removeCheckpoint(checkpoint));
  }

  rooms(): Promise<RoomRecord[]> {
    return this.#read(() => this.#options.inner.rooms());
  }

  records(roomIds: readonly string[]): Promise<RoomRecord[]> {
    return this.#read(() => this.#options.inner.records(roomIds));
  }

  journal(entry: JournalEntry): Promise<void> {
    return this.#mustWrite(() => this.#options.inner.journal(entry));
  }

  openMigrations(): Promise<JournalEntry[]> {
    return this.#read(() => this.#options.inner.openMigrations());
  }

  async closeMigration(receipt: Receipt): Promise<void> {
    await this.#writeOrOwe(
      () => this.#options.inner.closeMigration(receipt),
      () => {
        this.#receiptsOwed.set(receipt.migrationId, receipt);
        forgetOldest(this.#receiptsOwed, MAX_RECEIPTS);
      },
    );
  }

  receipts(filter: { roomId?: string | undefined; limit: number }): Promise<Receipt[]> {
    return this.#read(() => this.#options.inner.receipts(filter));
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
    return this.#read(() => this.#options.inner.audit(filter));
  }

  presence(command: PresenceCommand, nowMs: number): Promise<PresenceReply> {
    const { inner } = this.#options;
    if (presenceReads(command)) return this.#read(() => inner.presence(command, nowMs));
    return this.#mustWrite(() => inner.presence(command, nowMs));
  }

  /** It stays its owner's to close. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.stop();
  }

  /** @throws CentroidError STORE_UNAVAILABLE if the store is to blame: it may have what it does not give */
  async #read<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (cause) {
      if (cause instanceof CentroidError || !isTrouble(cause)) throw cause;
      throw new CentroidError("STORE_UNAVAILABLE", `${this.#options.where} cannot be read ${why(cause)}`, {
        cause,
      });
    }
  }

  async #mustWrite<T>(write: () => Promise<T>): Promise<T> {
    if (!this.#options.shared) this.assertWritable();
    try {
      return await write();
    } catch (cause) {
      throw this.#failed(cause) ?? cause;
    }
  }

  /** @returns why it was not written, if it was not */
  async #writeOrOwe(write: () => Promise<void>, owe: () => void): Promise<CentroidError | undefined> {
    if (this.#refusal !== undefined && !this.#options.shared) {
      owe();
      return this.#refusal;
    }
    try {
      await write();
      return undefined;
    } catch (cause) {
      const refusal = this.#failed(cause);
      if (refusal === undefined) throw cause;
      owe();
      return refusal;
    }
  }

  /** @returns what the caller is told, if the store is to blame */
  #failed(cause: unknown): CentroidError | undefined {
    if (!isTrouble(cause)) return undefined;
    this.#faults++;
    const { where, logger } = this.#options;
    const said = cause instanceof CentroidError ? cause.message : `${where} cannot be written ${why(cause)}`;
    const refusal = new CentroidError(
      "STORE_UNAVAILABLE",
      `${said}; until then rooms stay where they are and orders are refused`,
      { cause },
    );
    if (this.#refusal === undefined) {
      logger.error({ cause }, refusal.message);
      this.#tryIn(FIRST_RETRY_MS);
    }
    this.#refusal = refusal;
    return refusal;
  }

  #tryIn(ms: number): void {
    if (!this.#stopped) this.#cancelTrial = this.#options.clock.after(ms, () => void this.#try());
  }

  /** Writes something, and if that works all that is owed. */
  async #try(): Promise<void> {
    const { inner, clock, logger, where } = this.#options;
    try {
      const data = new Uint8Array(TRIAL_BYTES);
      const seq = ++this.#trials;
      await inner.putCheckpoint({ roomId: TRIAL_ROOM_ID, epoch: 1, seq, takenAtMs: clock.now(), data });
      await inner.removeRoom(TRIAL_ROOM_ID);
      await this.#payOff();
      this.#refusal = undefined;
      logger.warn({}, `${where} can be written again`);
    } catch (cause) {
      if (this.#failed(cause) === undefined)
        logger.error({ cause }, "not all pending writes could be stored yet");
      this.#tryIn(RETRY_MS);
    }
  }

  /** Records before receipts: a move whose journal entry is gone is over, and the record says who has the room. */
  async #payOff(): Promise<void> {
    const { inner } = this.#options;
    while (this.#recordsOwed) {
      this.#recordsOwed = false;
      try {
        await this.#rewrite(inner);
      } catch (cause) {
        this.#recordsOwed = true;
        throw cause;
      }
    }
    await this.#checkpointsOwed.payOff(inner, isTrouble);
    for (const [migrationId, receipt] of this.#receiptsOwed) {
      await this.#unlessDecidedElsewhere(() => inner.closeMigration(receipt));
      this.#receiptsOwed.delete(migrationId);
    }
    for (const roomId of this.#removalsOwed) {
      await inner.removeRoom(roomId);
      this.#removalsOwed.delete(roomId);
    }
  }

  /** Another broker may have taken the room's shard over; then it has ended the move. */
  async #unlessDecidedElsewhere(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (cause) {
      if (!(cause instanceof CentroidError && cause.code === "STALE_EPOCH")) throw cause;
    }
  }
}

/** Answers of the store that are no trouble of its own, like STALE_EPOCH, are none. */
function isTrouble(cause: unknown): boolean {
  return cause instanceof CentroidError ? cause.code === "STORE_UNAVAILABLE" : cause instanceof Error;
}

/** Why a store does not do something, and what to do about it. */
function why(cause: unknown): string {
  const fault = diskFaultOf(cause);
  return fault === undefined
    ? `(${cause instanceof Error ? cause.message.slice(0, 300) : "unknown error"}): look at the broker's log`
    : `(${fault.code}): ${fault.remedy}`;
}
