/**
 * Rooms whose host is gone: each is rescued, by as many attempts as it takes, and its players find it where it runs then.
 * A host that comes back too late hears that its copies are over.
 */
import { CentroidError } from "@centroid/protocol";
import type { NewId } from "../base/ids.js";
import type { Emitter } from "../events/emitter.js";
import type { Farewell } from "../hosts/farewell.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostEntry } from "../hosts/host-registry.js";
import type { Crashes } from "../moves/crashes.js";
import { FreezeReports } from "../moves/freeze-reports.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import type { Rescues, UnresolvedMoves } from "../rooms/reconciler.js";
import type { Blame, RoomEvents, WithoutCheckpoint } from "../rooms/room-events.js";
import type { RoomEntry } from "../rooms/room-registry.js";
import type { RoomEnds } from "./room-ends.js";
import { type Rescue, RoomRestorer, type RoomRestorerOptions } from "./room-restorer.js";

/** Between two looks for a host that takes the room: the first, and as it grows. */
const RETRY_MS = 250;
const MAX_RETRY_MS = 2_000;
/** A room that no host has taken by then, in a minute or so, is over if its old host has surely lost it. */
const MAX_ATTEMPTS = 40;
/** A lost host that has the only copy of a room may come back with it by then. So long, players look for a room. */
const UNSAVED_WAIT_MS = 30_000;
/** A room fell silent by so much before its host counted as lost, at most. */
const NOTICED_WITHIN_MS = 60_000;

export interface FailoverOptions extends RoomRestorerOptions {
  /** Knows which hosts may still run the rooms that they had. */
  farewell: Pick<Farewell, "mayRun">;
  events: Emitter<HostEvents & RoomEvents & MoveEvents & PlacementEvents>;
  newId: NewId;
  crashes: Crashes;
  ends: RoomEnds;
  /** True if nobody listens at a room host's address: its process has ended. */
  refuses: (address: string) => Promise<boolean>;
  /** True if this broker decides about the room; otherwise another rescues it. */
  owns: (roomId: string) => boolean;
  openMoves: UnresolvedMoves;
}

export class Failover implements Rescues {
  readonly #options: FailoverOptions;
  readonly #restorer: RoomRestorer;
  readonly #byRoom = new Map<string, Rescue>();
  readonly #byId = new Map<string, Rescue>();
  #stopped = false;

  constructor(options: FailoverOptions) {
    this.#options = options;
    this.#restorer = new RoomRestorer(options);
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
    for (const rescue of this.#byId.values()) rescue.cancelled = true;
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
    for (
      let pauseMs = RETRY_MS;
      this.#restorer.goesOn(room, rescue);
      pauseMs = Math.min(2 * pauseMs, MAX_RETRY_MS)
    ) {
      // Its host may run it, and come back with it (OWN-10).
      if (owns(roomId) && !farewell.mayRun(room.stage.hostId)) {
        // Only an attempt shows it that has found nobody who may run the room: while any broker hears such a host, it is not over.
        let isTried = false;
        try {
          const attempted = await this.#restorer.attempt(room, rescue, startedAtMs);
          if (attempted === "over") return;
          if (attempted === "not-now") isTried = ++attempts >= MAX_ATTEMPTS || invalid;
          else if (attempted === "unsaved" && (await this.#isOver(room, without, startedAtMs))) {
            if (this.#restorer.goesOn(room, rescue)) ends.lost(room, "before it was saved");
            return;
          }
        } catch (cause) {
          const { code } = CentroidError.from(cause);
          logger.warn({ roomId, attempts, cause }, "room not restored yet");
          invalid ||= code === "FRAME_INVALID";
          // Neither says anything about the room or its hosts.
          if (code !== "STORE_UNAVAILABLE" && code !== "STALE_EPOCH")
            isTried = ++attempts >= MAX_ATTEMPTS || invalid;
        }
        if (isTried && this.#restorer.goesOn(room, rescue) && this.#isNowhereElse(room, rescue, without)) {
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
}
