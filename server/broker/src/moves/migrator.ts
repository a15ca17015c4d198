/**
 * Moves rooms. `migrateIn` at the destination, `migrateOut` at the source; the destination's `owned` is the
 * switch. Whatever goes wrong, both sides are asked and exactly one owner results. Every phase is journalled
 * before it counts, so that a broker that starts again knows what was under way.
 */
import {
  CentroidError,
  type MigrationView,
  type MoveReason,
  type OrderedMechanism,
  type Receipt,
  type TakenWay,
} from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { AddressBook } from "../hosts/address-book.js";
import type { Farewell } from "../hosts/farewell.js";
import type { GiveAways } from "../hosts/give-aways.js";
import { type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import type { RoomEvents } from "../rooms/room-events.js";
import { highestEpoch, type RoomEntry, type RoomRegistry } from "../rooms/room-registry.js";
import type { JournalEntry, Store } from "../store/store.js";
import { ActiveMoves } from "./active-moves.js";
import { assertCanMove, assertMechanism } from "./can-move.js";
import { destinationOf } from "./destination.js";
import { Migration, mechanismOf, movesWithSandbox } from "./migration.js";
import type { MoveEvents } from "./move-events.js";
import { MoveParticipants } from "./move-participants.js";
import { MoveResolver } from "./move-resolver.js";
import type { MigrationTimes } from "./times.js";

/** The agent answers after the source's own deadline; later than this its reply is lost. */
const REPLY_SLACK_MS = 2_000;

export interface MigratorOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  /** Knows which hosts may still run the rooms that they had. */
  farewell: Pick<Farewell, "mayRun">;
  records: OwnerRecords;
  giveAways: Pick<GiveAways, "withdraw">;
  events: Emitter<RoomEvents & MoveEvents>;
  store: Store;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  addresses: AddressBook;
  times: MigrationTimes;
  /** @throws CentroidError STORE_UNAVAILABLE while the journal cannot be written */
  assertWritable: () => void;
  /**
   * What has to be done before a room leaves its host.
   * @returns the standby at the destination, if it is to become the room
   */
  beforeMove: (room: RoomEntry, toHostId: string) => Promise<string | undefined>;
  /** How a room's players reach it now, for the receipt. */
  waysOf: (roomId: string) => readonly TakenWay[];
}

export class Migrator {
  readonly #options: MigratorOptions;
  readonly #participants: MoveParticipants;
  readonly #resolver: MoveResolver;
  readonly #active: ActiveMoves;
  #stopped = false;

  constructor(options: MigratorOptions) {
    this.#options = options;
    this.#active = new ActiveMoves(options);
    this.#participants = new MoveParticipants(options.hosts, options.farewell, options.logger);
    this.#resolver = new MoveResolver(options, this.#participants, {
      commit: (migration, room) => this.#commit(migration, room),
      close: (...end) => this.#close(...end),
      stopped: () => this.#stopped,
    });
  }

  views(): MigrationView[] {
    return this.#active.views();
  }

  /** Resolves when the room is not moving any more, whichever way it went. */
  whenSettled(roomId: string): Promise<void> {
    return this.#active.whenSettled(roomId);
  }

  /**
   * Moves a room and resolves with the receipt when the players have reported.
   * A move that was rolled back resolves too: `outcome` tells.
   * @throws CentroidError if the move cannot begin; see {@link assertCanMove}, STORE_UNAVAILABLE if it cannot be journalled
   */
  async move(
    roomId: string,
    toHostId: string,
    reason: MoveReason,
    mechanism?: OrderedMechanism,
  ): Promise<Receipt> {
    const { hosts, rooms, store, clock, newId } = this.#options;
    const room = rooms.require(roomId);
    assertCanMove(room, hosts.require(toHostId));
    this.#options.assertWritable();
    assertMechanism(room, mechanism);
    const toEpoch = await store.nextEpoch(roomId, highestEpoch(room));
    // Room and host may have changed while the store was asked.
    assertCanMove(room, hosts.require(toHostId));
    if (toEpoch <= highestEpoch(room))
      throw new CentroidError("ROOM_MOVING", `room ${roomId} has just moved; try again shortly`);
    const migration = new Migration(
      {
        migrationId: newId(),
        roomId,
        fromHostId: room.stage.hostId,
        toHostId,
        toEpoch,
        reason,
        startedAtMs: clock.now(),
      },
      mechanism ?? mechanismOf(room.carrier),
      clock,
    );
    migration.activity = room.activity;
    return this.#begun(migration, room, () => this.#run(migration, room));
  }

  isActive(migrationId: string): boolean {
    return this.#active.has(migrationId);
  }

  /** Ends a move that an earlier broker left open. */
  async resume(entry: JournalEntry): Promise<Receipt | undefined> {
    if (this.#active.has(entry.migrationId)) return undefined;
    const { rooms, records, events, clock } = this.#options;
    const room = rooms.get(entry.roomId);
    const { phase, ...plan } = entry;
    const migration = new Migration(plan, mechanismOf(room?.carrier), clock);
    migration.enter(phase, 0);
    const cause = new CentroidError("MIGRATION_FAILED", "the broker ended while this move was under way");
    if (room === undefined) {
      const lost = new CentroidError("ROOM_NOT_FOUND", "the room ended while the broker was away");
      return this.#close(migration, undefined, "failed", lost);
    }
    const { stage } = room;
    // Whichever side said hello first is taken for the owner until both have been asked.
    if (stage.hostId === plan.toHostId && room.epoch === plan.toEpoch) {
      const finish = async (): Promise<Receipt> => {
        this.#participants.letGo(plan.fromHostId, plan.roomId, plan.toEpoch);
        // It arrived, but its host does not have it any more.
        if (stage.state === "restoring") events.emit("room.away", { room, without: "dispose" });
        await records.putWhenPossible(room);
        return this.#close(migration, room, "completed", undefined);
      };
      return this.#active.track(migration, finish);
    }
    if (room.epoch >= plan.toEpoch || (stage.state !== "running" && stage.state !== "restoring")) {
      if (stage.state === "restoring") events.emit("room.away", { room, without: "dispose" });
      const over = new CentroidError(
        "STALE_EPOCH",
        "the room had moved on when this move was looked at again",
      );
      return this.#close(migration, room, "failed", over);
    }
    return this.#begun(migration, room, () => this.#resolver.settle(migration, room, cause));
  }

  /** Begins no more; moves under way go on at their hosts and are settled by the next broker. */
  stop(): void {
    this.#stopped = true;
  }

  /** The room is on its way from here on. */
  #begun(migration: Migration, room: RoomEntry, run: () => Promise<Receipt>): Promise<Receipt> {
    const { migrationId, toHostId, toEpoch } = migration.plan;
    this.#options.rooms.apply(room, { type: "move", migrationId, toHostId, toEpoch });
    return this.#active.track(migration, run);
  }

  async #run(migration: Migration, room: RoomEntry): Promise<Receipt> {
    const { hosts, rooms, addresses, store, times, beforeMove } = this.#options;
    const { migrationId, roomId, fromHostId, toHostId, toEpoch } = migration.plan;
    await this.#begin(migration, room, store);
    try {
      const standbyId = await beforeMove(room, toHostId);
      const to = hosts.require(toHostId);
      const { name, carrier, stage } = room;
      const at = "at" in stage ? stage.at : undefined;
      const deadlineMs = movesWithSandbox(carrier) ? times.vmDeadlineMs : times.deadlineMs;
      const { promotes, ...slot } = await peerOf(to).request(
        {
          method: "migrateIn",
          migrationId,
          roomId,
          name,
          carrier,
          epoch: toEpoch,
          ...(at && { at }),
          ...(standbyId && { standbyId }),
        },
        times.prepareMs,
      );
      migration.destination = slot;
      rooms.offer(room, { hostId: toHostId, ...slot });
      const out = peerOf(hosts.require(fromHostId)).request(
        {
          method: "migrateOut",
          migrationId,
          roomId,
          mechanism: migration.mechanism,
          epoch: toEpoch,
          destination: destinationOf(addresses, room, slot, to),
          ...(promotes === true && standbyId && { standbyId }),
          deadlineMs,
        },
        deadlineMs + REPLY_SLACK_MS,
      );
      // The switch is when the destination says so, not when the source has cleaned up.
      migration
        .whenOwned()
        .then(() => this.#commit(migration, room))
        .catch((cause: unknown) =>
          this.#options.logger.error(
            { migrationId, roomId, cause },
            "the switch could not be taken in at once",
          ),
        );
      migration.transfer = await out;
      if (movesWithSandbox(carrier)) await this.#arrival(migration);
      this.#commit(migration, room);
    } catch (cause) {
      const error = CentroidError.from(cause);
      if (!migration.owned) return this.#resolver.settle(migration, room, error);
      // It arrived; what failed is only the source's farewell.
      this.#participants.letGo(fromHostId, roomId, toEpoch);
    }
    return this.#close(migration, room, "completed", undefined);
  }

  /** No host was asked for anything yet: a move that cannot be journalled has not begun. */
  async #begin(migration: Migration, room: RoomEntry, store: Store): Promise<void> {
    try {
      await store.journal(migration.journalEntry());
    } catch (cause) {
      const { migrationId } = migration.plan;
      const { stage } = room;
      if (stage.state === "migrating" && stage.migrationId === migrationId)
        this.#options.rooms.apply(room, { type: "rolled-back", migrationId });
      migration.enter("rolled-back", 0);
      this.#active.show(migration);
      // A store whose answer was lost may have written the entry.
      this.#close(migration, room, "rolled-back", CentroidError.from(cause)).catch((failure: unknown) =>
        this.#options.logger.error(
          { cause: failure, migrationId },
          "a move that did not begin may look open",
        ),
      );
      throw cause;
    }
  }

  /** The source may only know that the machine has gone; that its room lives the destination must say. */
  async #arrival(migration: Migration): Promise<void> {
    const { clock, times } = this.#options;
    await Promise.race([
      migration.whenOwned(),
      new Promise<void>((resolve) => clock.after(times.vmArrivalMs, resolve)),
    ]);
    if (!migration.owned)
      throw new CentroidError("MIGRATION_FAILED", "the room has arrived, but does not answer there");
  }

  #commit(migration: Migration, room: RoomEntry): void {
    const { migrationId, toHostId } = migration.plan;
    const { rooms, logger } = this.#options;
    migration.owned = true;
    if (rooms.get(room.roomId) !== room) return;
    if (room.stage.state !== "migrating" || room.stage.migrationId !== migrationId) return;
    const at = migration.destination ?? room.stage.at;
    rooms.apply(room, { type: "committed", migrationId, at });
    this.#options.records.put(room).catch((cause: unknown) => {
      logger.error({ roomId: room.roomId, toHostId, cause }, "the new owner could not be stored");
    });
    migration.onSettled();
  }

  async #close(
    migration: Migration,
    room: RoomEntry | undefined,
    outcome: Receipt["outcome"],
    cause: CentroidError | undefined,
  ): Promise<Receipt> {
    const { store, clock, times, events } = this.#options;
    const endedAtMs = clock.now();
    const completed = outcome === "completed";
    // Clients of a VM notice nothing that they could report.
    const expected = completed && migration.mechanism === "handoff" ? (room?.players ?? 0) : 0;
    const freeze = await migration.reports.collect(expected, times.reportWindowMs);
    if (completed) {
      migration.enter("completed", 0);
      this.#active.show(migration);
    }
    const { roomId, toEpoch } = migration.plan;
    const ways = this.#options.waysOf(roomId);
    const epoch = room?.epoch ?? toEpoch;
    const receipt: Receipt = {
      ...migration.receipt(outcome, epoch, endedAtMs, freeze, cause?.toWire()),
      ...(ways.length > 0 && { ways: [...ways] }),
    };
    await store.closeMigration(receipt);
    events.emit("move.finished", { receipt, room });
    return receipt;
  }
}
