/**
 * What an earlier broker, or another one, left behind: after a start the hosts of known rooms are waited for, and moves
 * that were open are ended; with every shard that this broker takes over, the same for the rooms in it.
 */
import { shardOf } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import type { OpenMoves } from "../moves/open-moves.js";
import type { PlacementLoop } from "../placement/placement-loop.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import type { RoomReconciler } from "../rooms/reconciler.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { JournalEntry, RoomRecord, Store } from "../store/store.js";

/** How often it is looked whether all hosts of before are back. */
const REJOIN_POLL_MS = 20;
/** Between two attempts to read a store that does not answer. */
const READ_RETRY_MS = 250;

export interface TakeoverOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  records: OwnerRecords;
  reconciler: RoomReconciler;
  migrator: Migrator;
  openMoves: OpenMoves;
  loop: PlacementLoop;
  events: Emitter<RoomEvents>;
  store: Pick<Store, "rooms" | "records" | "openMigrations">;
  remembered: Map<string, RoomRecord>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  clock: Clock;
  logger: Logger;
}

/** What the store has of rooms and moves. */
interface Left {
  records: RoomRecord[];
  open: JournalEntry[];
}

export class Takeover {
  readonly #options: TakeoverOptions;
  /** Shards whose rooms have not been read yet. */
  readonly #unread = new Set<number>();
  #reading = false;

  constructor(options: TakeoverOptions) {
    this.#options = options;
  }

  /**
   * Waits for the hosts of remembered rooms and of open moves, then gives up those that did not come back. The time counts
   * from when a first host is there: until then hosts may not be able to reach this broker, since a proxy, a name service
   * or a firewall may take a while after it, and nobody is there to give a room to.
   */
  async awaitHosts(open: readonly JournalEntry[], graceMs: number, signal: AbortSignal): Promise<void> {
    const { hosts, remembered, owns, clock, logger } = this.#options;
    const awaited = new Set([
      ...[...remembered.values()].map(({ hostId }) => hostId),
      ...open.flatMap(({ fromHostId, toHostId }) => [fromHostId, toHostId]),
    ]);
    const startedAtMs = clock.now();
    let reachedAtMs: number | undefined;
    let isLate = false;
    while (!signal.aborted && [...awaited].some((hostId) => hosts.get(hostId) === undefined)) {
      const now = clock.now();
      if (hosts.size > 0) reachedAtMs ??= now;
      if (now >= (reachedAtMs ?? now) + graceMs) break;
      if (!isLate && now >= startedAtMs + graceMs) {
        isLate = true;
        // Another broker decides about them, and knows their hosts.
        this.#giveUp(({ roomId }) => !owns(roomId));
      }
      await this.#endAskableMoves().catch((cause: unknown) =>
        logger.error({ cause }, "open moves could not be read"),
      );
      await new Promise<void>((resolve) => clock.after(REJOIN_POLL_MS, resolve));
    }
    if (signal.aborted) return;
    this.#giveUp(() => true);
  }

  /** Nobody waits any longer for the hosts of these rooms. */
  #giveUp(which: (record: RoomRecord) => boolean): void {
    const { remembered, reconciler } = this.#options;
    for (const record of [...remembered.values()].filter(which)) reconciler.notFound(record);
  }

  /** Rooms that this broker decides about from now on: whatever another left open is ended here. */
  async takeOver(shards: readonly number[], signal: AbortSignal): Promise<void> {
    for (const shard of shards) this.#unread.add(shard);
    // One read at a time, also of a store that is slow to answer: it is for all shards that came meanwhile.
    if (this.#reading) return;
    this.#reading = true;
    try {
      while (this.#unread.size > 0 && !signal.aborted) {
        const taken = new Set(this.#unread);
        // One that is given up and taken again meanwhile is read again: others may have decided in between.
        this.#unread.clear();
        const left = await this.#read(signal);
        if (left !== undefined) this.#takeOver(taken, left, signal);
      }
    } finally {
      this.#reading = false;
    }
  }

  /**
   * A move that another broker began after this one had read what was open, of a room that is away at its source.
   * @returns false if it is being ended
   */
  endLate(entry: JournalEntry): boolean {
    const { migrator, clock } = this.#options;
    if (migrator.isActive(entry.migrationId)) return false;
    // Whoever found it has to be through with the room first.
    clock.after(0, () => this.#endOpenMove(entry));
    return true;
  }

  #takeOver(taken: ReadonlySet<number>, left: Left, signal: AbortSignal): void {
    const { rooms, records, remembered, events, openMoves, loop, owns, logger } = this.#options;
    const recorded = new Map(left.records.map((record) => [record.roomId, record]));
    const open = left.open.filter(({ roomId }) => taken.has(shardOf(roomId)));
    const undecided = new Set(open.map(({ roomId }) => roomId));
    openMoves.release(({ roomId }) => taken.has(shardOf(roomId)) && !undecided.has(roomId));
    for (const record of records.takeOver(left.records.filter(({ roomId }) => taken.has(shardOf(roomId))))) {
      const { roomId } = record;
      if (remembered.has(roomId) || undecided.has(roomId) || !this.#isBehind(record)) continue;
      this.#settle(record, signal).catch((cause: unknown) =>
        logger.error({ roomId, cause }, "room on record was not looked for"),
      );
    }
    for (const room of [...rooms.values()]) {
      if (!taken.has(shardOf(room.roomId))) continue;
      const record = recorded.get(room.roomId);
      if (record?.epoch === room.epoch) {
        room.standby = record.standby;
        room.fencedEpoch = Math.max(room.fencedEpoch, record.fencedEpoch);
      } else if (record !== undefined && record.epoch > room.epoch && room.stage.state === "restoring") {
        // The broker that decided before had asked a host to build it again.
        room.fencedEpoch = Math.max(room.fencedEpoch, record.fencedEpoch);
        room.asked = { hostId: record.hostId, epoch: record.epoch };
      } else if (record === undefined || record.epoch < room.epoch) {
        records.put(room).catch((cause: unknown) => logger.error({ cause }, "room taken over is not stored"));
      }
      loop.mark(room.roomId);
      if (room.stage.state === "restoring" && !undecided.has(room.roomId))
        events.emit("room.away", { room, without: "wait" });
    }
    for (const entry of open) if (owns(entry.roomId)) this.#endOpenMove(entry);
  }

  /** True if this broker does not know what is on record: no host has said that it has the room at that epoch. */
  #isBehind({ roomId, hostId, epoch }: RoomRecord): boolean {
    const room = this.#options.rooms.get(roomId);
    if (room === undefined) return true;
    return room.stage.state === "running" && room.stage.hostId !== hostId && room.epoch < epoch;
  }

  /**
   * The broker that decided before put an owner on record and may have died before it told it. Whether that one has the
   * room is known once it has said all that it had to say, or counts as lost.
   */
  async #settle({ roomId }: RoomRecord, signal: AbortSignal): Promise<void> {
    const { hosts, rooms, reconciler, store, owns, clock } = this.#options;
    while (!signal.aborted && owns(roomId)) {
      // A store that does not answer is asked again.
      const found = await store.records([roomId]).catch(() => undefined);
      const record = found?.[0];
      if (found !== undefined && (record === undefined || !this.#isBehind(record))) return;
      const host = record && hosts.get(record.hostId);
      const isAway = host === undefined || host.stage.state === "lost";
      const isHeard = isAway || (await host.peer?.alive()) === true;
      if (record !== undefined && isHeard && owns(roomId) && this.#isBehind(record)) {
        const room = rooms.get(roomId);
        if (room === undefined) reconciler.notFound(record);
        else reconciler.overtaken(room, record);
        return;
      }
      await new Promise<void>((resolve) => clock.after(READ_RETRY_MS, resolve));
    }
  }

  /** Nobody else ends what is open in these shards, so a store that does not answer is asked again until it does. */
  async #read(signal: AbortSignal): Promise<Left | undefined> {
    const { store, clock, logger } = this.#options;
    while (!signal.aborted) {
      try {
        return { records: await store.rooms(), open: await store.openMigrations() };
      } catch (cause) {
        logger.error({ cause }, "rooms and open moves could not be read yet");
      }
      await new Promise<void>((resolve) => clock.after(READ_RETRY_MS, resolve));
    }
    return undefined;
  }

  /** Open moves need not wait for hosts that have nothing to do with them. */
  async #endAskableMoves(): Promise<void> {
    const { hosts, openMoves, store, owns } = this.#options;
    const askable = openMoves.askable(hosts).filter(({ roomId }) => owns(roomId));
    if (askable.length === 0) return;
    const stillOpen = new Set((await store.openMigrations()).map(({ migrationId }) => migrationId));
    for (const entry of askable) if (stillOpen.has(entry.migrationId)) this.#endOpenMove(entry);
    openMoves.release(({ migrationId }) =>
      askable.some((entry) => entry.migrationId === migrationId && !stillOpen.has(migrationId)),
    );
  }

  /** Ends a move that an earlier broker left open: its hosts have reported or were waited for. */
  #endOpenMove(entry: JournalEntry): void {
    const { remembered, reconciler, openMoves, migrator, logger } = this.#options;
    const record = remembered.get(entry.roomId);
    // No host has reported it yet; while the move counts as open, this does not restore it.
    if (record !== undefined) reconciler.notFound(record);
    openMoves.release(({ migrationId }) => migrationId === entry.migrationId);
    migrator.resume(entry).catch((cause: unknown) => {
      logger.error({ cause, migrationId: entry.migrationId }, "a move from before the restart is still open");
    });
  }
}
