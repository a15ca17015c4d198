/**
 * Rooms whose host is gone: each goes on where its standby is or is built again from its last checkpoint on the best
 * living host, at a new epoch, and its players find it there. A host that comes back too late hears that its copies are over.
 */
import { type CarrierKind, CentroidError, type Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { Farewell } from "../hosts/farewell.js";
import type { HostEvents } from "../hosts/host-events.js";
import { AUTHOR_TIMEOUT_MS, type HostEntry, type HostRegistry, peerOf } from "../hosts/host-registry.js";
import type { Crashes } from "../moves/crashes.js";
import { FreezeReports } from "../moves/freeze-reports.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import { roomFacts } from "../placement/room-facts.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import type { Rescues, UnresolvedMoves } from "../rooms/reconciler.js";
import type { Blame, RoomEvents, WithoutCheckpoint } from "../rooms/room-events.js";
import { highestEpoch, type RoomEntry, type RoomRegistry } from "../rooms/room-registry.js";
import type { StandbyRecord, Store, StoredCheckpoint } from "../store/store.js";
import type { FallbackWarmer } from "./fallback-warmer.js";
import type { FormerOwners } from "./former-owners.js";
import type { RoomEnds } from "./room-ends.js";

/** The first room of a host waits for its process to start, on a busy machine for long; a machine may have to boot. */
const START_TIMEOUT_MS: Record<CarrierKind, number> = { process: 12_000, vm: 40_000, container: 12_000 };
/** A standby has all it needs in memory. */
const TAKE_OVER_TIMEOUT_MS = 3_000;
/** Its agent may be dialling again just now. */
const STANDBY_PATIENCE_MS = 1_000;
const STANDBY_POLL_MS = 50;
/** Between two looks for a host that takes the room: the first, and as it grows. */
const RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;
/** A room that no host has taken by then, in a minute or so, is over if its old host has surely lost it. */
const MAX_ATTEMPTS = 40;
/** A lost host that has the only copy of a room may come back with it by then. So long, players look for a room. */
const UNSAVED_WAIT_MS = 30_000;
/** A room fell silent by so much before its host counted as lost, at most. */
const NOTICED_WITHIN_MS = 60_000;
/** Players who are back by then are in the receipt. */
const REPORT_WINDOW_MS = 5_000;

export interface FailoverOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  /** Knows which hosts may still run the rooms that they had. */
  farewell: Pick<Farewell, "mayRun">;
  records: OwnerRecords;
  events: Emitter<HostEvents & RoomEvents & MoveEvents & PlacementEvents>;
  store: Store;
  engine: PlacementEngine;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  /** Knows which hosts are quicker to take a room. */
  fallbackWarmer: Pick<FallbackWarmer, "preferReady">;
  crashes: Crashes;
  ends: RoomEnds;
  formerOwners: FormerOwners;
  /** True if nobody listens at a room host's address: its process has ended. */
  refuses: (address: string) => Promise<boolean>;
  /** True if this broker decides about the room; otherwise another rescues it. */
  owns: (roomId: string) => boolean;
  openMoves: UnresolvedMoves;
}

interface Rescue {
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

/** How an attempt ended: the rescue is over, no host could take the room just now, or nothing was ever saved of it. */
type Attempted = "over" | "not-now" | "unsaved";

export class Failover implements Rescues {
  readonly #options: FailoverOptions;
  readonly #byRoom = new Map<string, Rescue>();
  readonly #byId = new Map<string, Rescue>();
  #stopped = false;

  constructor(options: FailoverOptions) {
    this.#options = options;
    const { events } = options;
    events.on("host.lost", ({ host }) => this.#hostLost(host));
    events.on("room.away", ({ room, without }) => this.rescue(room, without));
    events.on("room.changed", ({ room }) => this.#changed(room));
    events.on("room.crashed", ({ room, blame }) => this.#blame(room, blame));
    events.on("move.reported", ({ change }) => {
      if (change.event === "report") this.#byId.get(change.migrationId)?.reports.add(change);
    });
  }

  /**
   * Begins to rescue a room; does nothing if that is under way.
   * @param without what to do if there is no checkpoint: `wait` for the host, or `dispose` if it surely lost the room
   */
  rescue(room: RoomEntry, without: WithoutCheckpoint): void {
    if (this.#stopped || this.#byRoom.has(room.roomId)) return;
    const { clock, rooms, newId, crashes, logger } = this.#options;
    const crashed = crashes.reason(room.roomId);
    if (crashed !== undefined) {
      // It would do the same to the next host, and to all rooms there.
      if (this.#options.owns(room.roomId)) this.#options.ends.end(room, crashed);
      return;
    }
    if (room.stage.state === "running") rooms.apply(room, { type: "host-lost", atMs: clock.now() });
    if (room.stage.state !== "restoring" || !this.#options.owns(room.roomId)) return;
    // Whoever ends the open move asks both of its hosts first.
    if (this.#options.openMoves.undecided(room.roomId)) return;
    const rescue: Rescue = {
      migrationId: newId(),
      reports: new FreezeReports(clock, clock.now() - NOTICED_WITHIN_MS),
      reads: false,
      committed: false,
      cancelled: false,
      orderedEpoch: undefined,
    };
    this.#byRoom.set(room.roomId, rescue);
    this.#byId.set(rescue.migrationId, rescue);
    this.#run(room, rescue, without)
      .catch((cause: unknown) => logger.error({ roomId: room.roomId, cause }, "room could not be restored"))
      .finally(() => {
        if (this.#byRoom.get(room.roomId) === rescue) this.#byRoom.delete(room.roomId);
        this.#byId.delete(rescue.migrationId);
      });
  }

  #hostLost({ roomIds, facts: { hostId } }: HostEntry): void {
    for (const roomId of [...roomIds]) {
      const room = this.#options.rooms.get(roomId);
      if (room?.stage.state === "running" && room.stage.hostId === hostId) this.rescue(room, "wait");
    }
  }

  /** This room's code ended or hung the process that it ran in. */
  #blame({ roomId, name }: RoomEntry, blame: Blame): void {
    this.#options.logger.error({ roomId, name, ...blame }, "a room ended its host's process");
    this.#options.crashes.add(roomId, blame);
  }

  /** Whoever brought it about that the room runs: its rescue is over, and should it be lost again, that is another one. */
  #changed(room: RoomEntry): void {
    const { roomId, stage } = room;
    if (stage.state !== "running") return;
    const rescue = this.#byRoom.get(roomId);
    if (rescue !== undefined) rescue.cancelled = true;
    this.#byRoom.delete(roomId);
    // A host may be lost while a room is on its way there, and what shows that it has arrived may come after that.
    if (this.#options.hosts.get(stage.hostId)?.stage.state === "lost") this.rescue(room, "wait");
  }

  /** True while this broker waits for the answer to its order to build the room, at that epoch. */
  awaits(roomId: string, epoch: number): boolean {
    return this.#byRoom.get(roomId)?.orderedEpoch === epoch;
  }

  /** True from when a rescue looks for what was saved of the room (FAIL-5). */
  hasBegunToRead(roomId: string): boolean {
    return this.#byRoom.get(roomId)?.reads === true;
  }

  /** The lost host is back with the room. @returns false if it comes too late and must let go */
  giveBack(roomId: string): boolean {
    const rescue = this.#byRoom.get(roomId);
    if (rescue === undefined) return true;
    if (rescue.committed) return false;
    rescue.cancelled = true;
    this.#byRoom.delete(roomId);
    return true;
  }

  /** Begins no more and gives up what is waiting for a host. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Goes on until the room runs somewhere or is over, however long its store is away or another broker decides about it:
   * nobody else would begin anew.
   */
  async #run(room: RoomEntry, rescue: Rescue, without: WithoutCheckpoint): Promise<void> {
    const { owns, farewell, ends, clock, logger } = this.#options;
    const { roomId } = room;
    const startedAtMs = clock.now();
    let attempts = 0;
    let invalid = false;
    for (let pauseMs = RETRY_MS; this.#goesOn(room, rescue); pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)) {
      // Its host may run it, and come back with it (OWN-10).
      if (owns(roomId) && !farewell.mayRun(room.stage.hostId)) {
        try {
          const attempted = await this.#attempt(room, rescue, startedAtMs);
          if (attempted === "over") return;
          if (attempted === "not-now") attempts++;
          else if (await this.#isOver(room, without, startedAtMs)) {
            if (this.#goesOn(room, rescue)) ends.lost(room, "before it was saved");
            return;
          }
        } catch (cause) {
          const { code } = CentroidError.from(cause);
          logger.warn({ roomId, attempts, cause }, "room not restored yet");
          // Neither says anything about the room or its hosts.
          if (code !== "STORE_UNAVAILABLE" && code !== "STALE_EPOCH") attempts++;
          invalid ||= code === "FRAME_INVALID";
        }
        const isTried = invalid || attempts >= MAX_ATTEMPTS;
        if (isTried && this.#goesOn(room, rescue) && this.#isNowhereElse(room, rescue, without)) {
          ends.lost(room, invalid ? "and what was saved of it cannot be read" : "and no other could take it");
          return;
        }
      }
      await new Promise<void>((resolve) => clock.after(pauseMs, resolve));
    }
  }

  /** True if its host, should it come back, does not have the room any more, or has to let go of it. */
  #isNowhereElse({ stage }: RoomEntry, { committed }: Rescue, without: WithoutCheckpoint): boolean {
    return committed || without === "dispose" || this.#options.hosts.get(stage.hostId) === undefined;
  }

  /** True if the only copy there is of a room is gone, or has been away for so long that nobody waits for it. */
  async #isOver({ stage }: RoomEntry, without: WithoutCheckpoint, startedAtMs: number): Promise<boolean> {
    const { clock, refuses } = this.#options;
    if (without === "dispose" || clock.now() - startedAtMs >= UNSAVED_WAIT_MS) return true;
    return "at" in stage && (await refuses(stage.at.address));
  }

  #goesOn(room: RoomEntry, rescue: Rescue): boolean {
    return !this.#stopped && !rescue.cancelled && this.#current(room);
  }

  async #attempt(room: RoomEntry, rescue: Rescue, startedAtMs: number): Promise<Attempted> {
    const { store, formerOwners, logger } = this.#options;
    const { roomId, standby } = room;
    const fromHostId = room.stage.hostId;
    const behalf = {
      goesOn: () => this.#goesOn(room, rescue),
      commit: () => {
        rescue.committed = true;
      },
    };
    if (standby !== undefined && (await formerOwners.mayTakeOver(room, behalf))) {
      if (!this.#goesOn(room, rescue)) return "over";
      if (await this.#takeOver(room, rescue, standby, startedAtMs)) return "over";
    }
    for (const hostId of [fromHostId, room.asked?.hostId])
      if (!(await formerOwners.letGo(room, hostId, behalf))) return "not-now";
    if (!this.#goesOn(room, rescue)) return "over";
    const isFirst = !rescue.reads;
    rescue.reads = true;
    const saved = await store.checkpoint(roomId);
    if (!this.#goesOn(room, rescue)) return "over";
    if (saved === undefined) {
      if (isFirst) logger.warn({ roomId, fromHostId }, "host lost a room of which there is no checkpoint");
      return "unsaved";
    }
    const toHostId = this.#choose(room);
    if (toHostId === undefined) return "not-now";
    const epoch = await store.nextEpoch(roomId, highestEpoch(room));
    if (this.#goesOn(room, rescue))
      await this.#restore(room, rescue, { saved }, { fromHostId, toHostId, startedAtMs, epoch });
    return "over";
  }

  /** @returns false if it could not; then what it had is lost and the last checkpoint must do */
  async #takeOver(
    room: RoomEntry,
    rescue: Rescue,
    standby: StandbyRecord,
    startedAtMs: number,
  ): Promise<boolean> {
    const { hosts, clock, store } = this.#options;
    const away = (): boolean => hosts.get(standby.hostId)?.peer === undefined;
    while (away() && clock.now() < startedAtMs + STANDBY_PATIENCE_MS)
      await new Promise<void>((resolve) => clock.after(STANDBY_POLL_MS, resolve));
    if (!this.#goesOn(room, rescue)) return true;
    // Not the standby's fault if the store is away: it goes on having what only it has.
    const epoch = await store.nextEpoch(room.roomId, highestEpoch(room));
    if (!this.#goesOn(room, rescue)) return true;
    const plan = { fromHostId: room.stage.hostId, toHostId: standby.hostId, startedAtMs, epoch };
    try {
      await this.#restore(room, rescue, { standby }, plan);
      return true;
    } catch (cause) {
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
    plan: { fromHostId: string; toHostId: string; startedAtMs: number; epoch: number },
  ): Promise<void> {
    const { hosts, rooms, records, clock, events } = this.#options;
    const { roomId, name, carrier } = room;
    const { migrationId } = rescue;
    const { fromHostId, toHostId, startedAtMs, epoch } = plan;
    peerOf(hosts.require(toHostId));
    rescue.committed = true;
    // Whatever becomes of this attempt, its epoch and the old host's are over.
    room.fencedEpoch = epoch;
    room.asked = { hostId: toHostId, epoch };
    // A broker that starts again must not take the old host for the owner.
    await records.put(room);
    if (!this.#current(room)) return;
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
