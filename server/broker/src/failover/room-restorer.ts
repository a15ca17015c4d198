/**
 * One attempt to get a room going again whose host is gone: its standby takes over, or it is built from its last checkpoint
 * on the best living host, at a new epoch.
 */
import { type CarrierKind, CentroidError, type Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { GiveAways } from "../hosts/give-aways.js";
import { AUTHOR_TIMEOUT_MS, type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { FreezeReports } from "../moves/freeze-reports.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import { roomFacts } from "../placement/room-facts.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import { highestEpoch, type RoomEntry, type RoomRegistry } from "../rooms/room-registry.js";
import type { JournalEntry, StandbyRecord, Store, StoredCheckpoint } from "../store/store.js";
import type { FallbackWarmer } from "./fallback-warmer.js";
import type { FormerOwners } from "./former-owners.js";

/** The first room of a host waits for its process to start, on a busy machine for long; a machine may have to boot. */
const START_TIMEOUT_MS: Record<CarrierKind, number> = { process: 12_000, vm: 40_000, container: 12_000 };
/** A standby has all it needs in memory. */
const TAKE_OVER_TIMEOUT_MS = 3_000;
/** Its agent may be dialling again just now. */
const STANDBY_PATIENCE_MS = 1_000;
const STANDBY_POLL_MS = 50;
/** Players who are back by then are in the receipt. */
const REPORT_WINDOW_MS = 5_000;

export interface RoomRestorerOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  records: OwnerRecords;
  events: Emitter<MoveEvents & PlacementEvents>;
  store: Store;
  engine: PlacementEngine;
  clock: Clock;
  logger: Logger;
  /** Knows which hosts are quicker to take a room. */
  fallbackWarmer: Pick<FallbackWarmer, "preferReady">;
  formerOwners: FormerOwners;
  giveAways: Pick<GiveAways, "withdraw">;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  /** Ends a move that is open on record. @returns false if that is under way */
  endOpenMove: (entry: JournalEntry) => boolean;
}

/** All attempts for one room that is lost. */
export interface Rescue {
  migrationId: string;
  reports: FreezeReports;
  /** Set once it looks for what was saved: what is saved later may not be in what it finds. */
  reads: boolean;
  /** Set once a host was asked: from then on the old copy is over. */
  committed: boolean;
  cancelled: boolean;
  /** Of the order to build the room that a host has not answered yet. */
  orderedEpoch: number | undefined;
}

/** From where to where, at which epoch. */
interface Plan {
  fromHostId: string;
  toHostId: string;
  startedAtMs: number;
  /** Those that had it, or were building it, and only count as lost. */
  lostHostIds: readonly string[];
  epoch: number;
}

/**
 * How an attempt ended: the rescue is over, a host may still run the room as far as any broker knows, none could take it
 * just now, or nothing was ever saved of it.
 */
type Attempted = "over" | "held" | "not-now" | "unsaved";

export class RoomRestorer {
  readonly #options: RoomRestorerOptions;

  constructor(options: RoomRestorerOptions) {
    this.#options = options;
  }

  /** False once the room runs somewhere, is over, or is not to be rescued any more. */
  goesOn(room: RoomEntry, rescue: Rescue): boolean {
    return !rescue.cancelled && this.#current(room);
  }

  /** @throws CentroidError what a host or the store answers; to be tried again then */
  async attempt(room: RoomEntry, rescue: Rescue, startedAtMs: number): Promise<Attempted> {
    const { store, formerOwners, logger } = this.#options;
    const { roomId } = room;
    const open = await this.#catchUp(room, rescue);
    if (!this.goesOn(room, rescue)) return "over";
    // It may have arrived. Whoever ends it asks both of its hosts, and has the room rescued if neither has it.
    if (open !== undefined) return this.#options.endOpenMove(open) ? "over" : "held";
    const { standby } = room;
    const fromHostId = room.stage.hostId;
    const behalf = {
      goesOn: () => this.goesOn(room, rescue),
      commit: () => {
        rescue.committed = true;
      },
    };
    if (standby !== undefined) {
      const lostHostIds = await formerOwners.mayTakeOver(room, behalf);
      if (!this.goesOn(room, rescue)) return "over";
      if (
        lostHostIds !== undefined &&
        (await this.#takeOver(room, rescue, standby, { startedAtMs, lostHostIds }))
      )
        return "over";
    }
    const lostHostIds = await formerOwners.allLetGo(room, behalf);
    if (lostHostIds === undefined) return "held";
    if (!this.goesOn(room, rescue)) return "over";
    const isFirst = !rescue.reads;
    rescue.reads = true;
    const saved = await store.checkpoint(roomId);
    if (!this.goesOn(room, rescue)) return "over";
    if (saved === undefined) {
      if (isFirst) logger.warn({ roomId, fromHostId }, "host lost a room of which there is no checkpoint");
      return "unsaved";
    }
    const toHostId = this.#choose(room);
    if (toHostId === undefined) return "not-now";
    const epoch = await store.nextEpoch(roomId, highestEpoch(room));
    if (this.goesOn(room, rescue))
      await this.#restore(room, rescue, { saved }, { fromHostId, toHostId, startedAtMs, lostHostIds, epoch });
    return "over";
  }

  /**
   * Another broker may have ordered the room to be built before this one decided about it, and after this one has read what
   * was on record: that host is asked to let go like the former one, and what the former one had is over. Or it may have
   * begun to move it: @returns that move
   */
  async #catchUp(room: RoomEntry, rescue: Rescue): Promise<JournalEntry | undefined> {
    const { hosts, store } = this.#options;
    const [[record], moves] = await Promise.all([store.records([room.roomId]), store.openMigrations()]);
    const open = moves.find(({ roomId, toEpoch }) => roomId === room.roomId && toEpoch > room.epoch);
    if (open !== undefined) return open;
    if (!this.goesOn(room, rescue) || record === undefined || record.epoch <= room.epoch) return undefined;
    rescue.committed = true;
    if (record.epoch <= (room.asked?.epoch ?? 0)) return undefined;
    const { hostId, epoch, fencedEpoch, standby } = record;
    room.asked = { hostId, epoch };
    room.fencedEpoch = Math.max(room.fencedEpoch, fencedEpoch);
    room.standby = standby;
    // It may have said by now that it runs the room.
    await hosts.get(hostId)?.peer?.alive();
    return undefined;
  }

  /** @returns false if it could not; then what it had is lost and the last checkpoint must do */
  async #takeOver(
    room: RoomEntry,
    rescue: Rescue,
    standby: StandbyRecord,
    since: Pick<Plan, "startedAtMs" | "lostHostIds">,
  ): Promise<boolean> {
    const { hosts, clock, store } = this.#options;
    const away = (): boolean => hosts.get(standby.hostId)?.peer === undefined;
    while (away() && clock.now() < since.startedAtMs + STANDBY_PATIENCE_MS)
      await new Promise<void>((resolve) => clock.after(STANDBY_POLL_MS, resolve));
    if (!this.goesOn(room, rescue)) return true;
    // Not the standby's fault if the store is away: it goes on having what only it has.
    const epoch = await store.nextEpoch(room.roomId, highestEpoch(room));
    if (!this.goesOn(room, rescue)) return true;
    const plan = { ...since, fromHostId: room.stage.hostId, toHostId: standby.hostId, epoch };
    try {
      await this.#restore(room, rescue, { standby }, plan);
      return true;
    } catch (cause) {
      // Another broker decides by now, or nobody could be asked: it still has what only it has.
      if (cause instanceof CentroidError && cause.code === "STALE_EPOCH") throw cause;
      this.#options.logger.error(
        { roomId: room.roomId, ...standby, cause },
        "the standby could not take over",
      );
      // Its epoch is fenced: what it may have begun is over.
      room.standby = undefined;
      return false;
    }
  }

  #current(room: RoomEntry): boolean {
    return this.#options.rooms.get(room.roomId) === room && room.stage.state === "restoring";
  }

  #choose(room: RoomEntry): string | undefined {
    const { engine, clock, events, fallbackWarmer } = this.#options;
    const decision = fallbackWarmer.preferReady(engine.place(roomFacts(room), clock.now()));
    events.emit("decision.made", { decision });
    if (decision.toHostId === undefined) events.emit("room.unplaced", { roomId: room.roomId });
    return decision.toHostId;
  }

  async #restore(
    room: RoomEntry,
    rescue: Rescue,
    {
      saved,
      standby,
    }: { saved: StoredCheckpoint; standby?: never } | { saved?: never; standby: StandbyRecord },
    plan: Plan,
  ): Promise<void> {
    const { hosts, rooms, records, clock, events, giveAways, owns } = this.#options;
    const { roomId, name, carrier } = room;
    const { migrationId } = rescue;
    const { fromHostId, toHostId, startedAtMs, lostHostIds, epoch } = plan;
    peerOf(hosts.require(toHostId));
    rescue.committed = true;
    // Whatever becomes of this attempt, its epoch and the old host's are over.
    room.fencedEpoch = epoch;
    room.asked = { hostId: toHostId, epoch };
    // A broker that starts again must not take the old host for the owner.
    await records.put(room);
    const goesOn = (): boolean => this.#current(room) && owns(roomId);
    await Promise.all(
      lostHostIds
        .filter((hostId) => hostId !== toHostId)
        .map((hostId) => giveAways.withdraw(hostId, { roomId, epoch }, goesOn)),
    );
    if (!this.#current(room)) return;
    if (!owns(roomId)) throw new CentroidError("STALE_EPOCH", `another broker decides about room ${roomId}`);
    const peer = peerOf(hosts.require(toHostId));
    const view = { migrationId, roomId, fromHostId, toHostId, reason: "host-lost", startedAtMs } as const;
    const bytes = saved?.data.byteLength ?? 0;
    events.emit("move.progressed", { migration: { ...view, phase: "preparing", bytes } });
    const from =
      saved === undefined
        ? ({ kind: "standby", standbyId: standby.standbyId } as const)
        : ({ kind: "checkpoint", data: Buffer.from(saved.data).toString("base64") } as const);
    const { roomIds } = hosts.require(toHostId);
    rescue.orderedEpoch = epoch;
    // Its slot is nobody else's while it is restored there.
    roomIds.add(roomId);
    const slot = await peer
      .request(
        { method: "restoreRoom", migrationId, roomId, name, carrier, epoch, from },
        saved === undefined ? TAKE_OVER_TIMEOUT_MS : AUTHOR_TIMEOUT_MS + START_TIMEOUT_MS[carrier],
      )
      .catch((cause: unknown) => {
        if (room.stage.hostId !== toHostId) roomIds.delete(roomId);
        throw cause;
      })
      .finally(() => {
        rescue.orderedEpoch = undefined;
      });
    if (!this.#current(room)) {
      if (room.stage.hostId !== toHostId || room.stage.state === "disposed") roomIds.delete(roomId);
      await peer.request({ method: "disposeRoom", roomId, epoch: epoch + 1 });
      return;
    }
    const { processId, address, sessions, stateHash } = slot;
    rooms.apply(room, { type: "restored", hostId: toHostId, at: { processId, address }, epoch });
    rooms.listing(room, slot);
    rooms.reconcile(room, sessions);
    await records.putWhenPossible(room);
    events.emit("move.progressed", { migration: { ...view, phase: "completed", bytes } });
    const endedAtMs = clock.now();
    const freeze = await rescue.reports.collect(room.players, REPORT_WINDOW_MS);
    this.#finish(
      {
        migrationId,
        roomId,
        fromHostId,
        toHostId,
        mechanism: saved === undefined ? "standby" : "restore",
        reason: "host-lost",
        outcome: "completed",
        epoch,
        startedAtMs,
        totalMs: endedAtMs - startedAtMs,
        phases: [{ phase: "preparing", atMs: startedAtMs, durationMs: endedAtMs - startedAtMs }],
        bytes,
        ...freeze,
        stateHashAfter: stateHash,
        ...(saved !== undefined && { checkpointAgeMs: Math.max(0, startedAtMs - saved.takenAtMs) }),
      },
      room,
    );
  }

  #finish(receipt: Receipt, room: RoomEntry | undefined): void {
    const { store, events, logger } = this.#options;
    store.closeMigration(receipt).catch((cause: unknown) => logger.error({ cause }, "receipt not stored"));
    events.emit("move.finished", { receipt, room });
  }
}
