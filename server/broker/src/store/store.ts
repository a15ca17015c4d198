/**
 * What must outlive a broker: secrets, who owns which room at which epoch, and the journal of migrations.
 * One contract suite runs against every implementation.
 */
import {
  type AuditEntry,
  carrierKindSchema,
  idSchema,
  migrationPhaseSchema,
  moveReasonSchema,
  type PresenceCommand,
  type PresenceReply,
  type Receipt,
} from "@centroid/protocol";
import { z } from "zod";

/** The one standby that would get a room if its host were lost. */
const standbyRecordSchema = z.object({ standbyId: idSchema, hostId: idSchema });
/** The one standby that would get a room if its host were lost. */
export type StandbyRecord = z.infer<typeof standbyRecordSchema>;

/** Who owns a room, and at which epoch. */
export const roomRecordSchema = z.object({
  roomId: idSchema,
  name: z.string(),
  hostId: idSchema,
  carrier: carrierKindSchema,
  epoch: z.number().int(),
  fencedEpoch: z.number().int(),
  createdAtMs: z.number(),
  standby: standbyRecordSchema.optional(),
});
/** Who owns a room, and at which epoch. */
export type RoomRecord = z.infer<typeof roomRecordSchema>;

/** A migration that is not over yet, as far as it is known to have come. */
export const journalEntrySchema = z.object({
  migrationId: idSchema,
  roomId: idSchema,
  fromHostId: idSchema,
  toHostId: idSchema,
  /** Epoch of the destination, if it gets there. */
  toEpoch: z.number().int(),
  reason: moveReasonSchema,
  phase: migrationPhaseSchema,
  startedAtMs: z.number(),
});
/** A migration that is not over yet, as far as it is known to have come. */
export type JournalEntry = z.infer<typeof journalEntrySchema>;

/** A room's last saved state. */
export interface StoredCheckpoint {
  roomId: string;
  epoch: number;
  seq: number;
  takenAtMs: number;
  data: Uint8Array;
}

/** What a broker needs of its storage. */
export interface Store extends AsyncDisposable {
  /** A secret of that name; made by `create` and kept the first time somebody asks. */
  secret(name: string, create: () => string): Promise<string>;
  /** All that {@link putValue} put. */
  values(): Promise<ReadonlyMap<string, string>>;
  /** Keeps a small value by name, or forgets it. Resolves when that is durable. */
  putValue(name: string, value: string | undefined): Promise<void>;
  /** @throws CentroidError STALE_EPOCH if the store has a newer owner of this room */
  putRoom(room: RoomRecord): Promise<void>;
  /**
   * An epoch above `above` that nobody was given for this room before; gone once it was given, used or not.
   * @throws CentroidError STALE_EPOCH if another broker decides about the room by now
   */
  nextEpoch(roomId: string, above: number): Promise<number>;
  /** With its checkpoint and the epochs given out. */
  removeRoom(roomId: string): Promise<void>;
  /**
   * Resolves when it is durable. An older one than the store has is dropped without a word.
   * @param calledOff of the epochs above this checkpoint's, those up to here were called off: what they saved is replaced
   */
  putCheckpoint(checkpoint: StoredCheckpoint, calledOff?: number): Promise<void>;
  checkpoint(roomId: string): Promise<StoredCheckpoint | undefined>;
  /** Rooms of these shards of which a checkpoint is kept, on record or not. */
  saved(shards: readonly number[]): Promise<string[]>;
  /** Removes this one; a later one stays. */
  removeCheckpoint(checkpoint: Pick<StoredCheckpoint, "roomId" | "epoch" | "seq">): Promise<void>;
  rooms(): Promise<RoomRecord[]>;
  /** Of these rooms, of those that are on record. */
  records(roomIds: readonly string[]): Promise<RoomRecord[]>;
  /**
   * Written before a phase is begun; the first time opens the entry.
   * @throws CentroidError STALE_EPOCH if another broker decides about the room by now
   */
  journal(entry: JournalEntry): Promise<void>;
  openMigrations(): Promise<JournalEntry[]>;
  /**
   * Closes the entry and keeps the receipt, in one step. Idempotent.
   * @throws CentroidError STALE_EPOCH if another broker decides about the room by now
   */
  closeMigration(receipt: Receipt): Promise<void>;
  /** Newest first. */
  receipts(filter: { roomId?: string | undefined; limit: number }): Promise<Receipt[]>;
  /**
   * Adds to the audit log. There is no way to change or remove an entry; the oldest go beyond `MAX_AUDIT`.
   * @param begun the entry of the same order from before it was carried out, whose place this one takes
   */
  appendAudit(entry: AuditEntry, begun?: AuditEntry): Promise<void>;
  /**
   * Gives out a player id until `untilMs`, in one step. Resolves when it is durable.
   * @returns false if somebody has it at `nowMs`, or too many are given out
   */
  takePlayerId(playerId: string, untilMs: number, nowMs: number): Promise<boolean>;
  /** It stays whose it is for longer. */
  extendPlayerId(playerId: string, untilMs: number, nowMs: number): Promise<void>;
  /**
   * Reads or changes a key that rooms share, in one step. Resolves when that is durable.
   * @throws CentroidError BAD_REQUEST if the key holds something else, or too much
   */
  presence(command: PresenceCommand, nowMs: number): Promise<PresenceReply>;
  /** Newest first. `beforeMs`: only entries from earlier than that. */
  audit(filter: { beforeMs?: number | undefined; limit: number }): Promise<AuditEntry[]>;
}
