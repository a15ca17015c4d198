/**
 * Compares what hosts say they run with what is known and on record, and settles the difference. After a restart of
 * the broker this is how everything is found again: hosts know what they run and at which epoch, the store knows who
 * was last to own.
 */
import type { RoomReport } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { AgentPeer, HostEntry, HostRegistry } from "../hosts/host-registry.js";
import type { Granted, RoomGrants } from "../hosts/room-grants.js";
import type { RoomRecord } from "../store/store.js";
import type { EndedRooms } from "./ended-rooms.js";
import type { OwnerRecords } from "./owner-records.js";
import type { RoomEvents, WithoutCheckpoint } from "./room-events.js";
import type { RoomEntry, RoomRegistry } from "./room-registry.js";
import type { RoomAddress } from "./room-stage.js";
import type { TrackedRooms } from "./tracked-rooms.js";

/** A host that could not do what it was told is not told again at once. */
const CALL_OFF_AGAIN_MS = 250;

/** What has to be known of rooms that are being restored. */
export interface Rescues {
  /** True while this broker waits for the answer to its order to build the room, at that epoch. */
  awaits(roomId: string, epoch: number): boolean;
  /** True from when a rescue looks for what was saved of the room: what its host saves later may not be in that. */
  hasBegunToRead(roomId: string): boolean;
  /** The lost host is back with the room. @returns false if it comes too late and must let go */
  giveBack(roomId: string): boolean;
}

/** What has to be known of moves that an earlier broker left open. */
export interface UnresolvedMoves {
  /** True while it is not known which host has the room. */
  undecided(roomId: string): boolean;
  /** True if one of them would give the room to this host at this epoch. */
  leadsTo(granted: Granted): boolean;
}

export interface RoomReconcilerOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  records: OwnerRecords;
  rescues: Rescues;
  ended: Pick<EndedRooms, "takeCopy">;
  openMoves: UnresolvedMoves;
  tracked: Pick<TrackedRooms, "has">;
  events: Emitter<HostEvents & RoomEvents>;
  grants: RoomGrants;
  clock: Clock;
  logger: Logger;
  /** Rooms known from before this broker started; taken out as their hosts say hello. */
  remembered: Map<string, RoomRecord>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  /** So long after the start, hosts are still coming back. */
  rejoinGraceMs: number;
}

export class RoomReconciler {
  readonly #options: RoomReconcilerOptions;
  readonly #startedAtMs: number;
  /** Rooms that were on no record when a host said that it runs them. */
  readonly #unproved = new WeakSet<RoomEntry>();

  constructor(options: RoomReconcilerOptions) {
    this.#options = options;
    this.#startedAtMs = options.clock.now();
    const { events } = options;
    events.on("host.connected", ({ host, reports }) => {
      options.rooms.joinedBy(host);
      for (const report of reports) this.reported(host, report);
      this.#missing(host, new Set(reports.map(({ roomId }) => roomId)));
    });
  }

  /** A host says that it runs this room, or holds a copy of it that does not run. */
  reported(host: HostEntry, report: RoomReport): void {
    const { rooms, records, rescues, events, remembered, openMoves, logger } = this.#options;
    const { hostId } = host.facts;
    const { roomId, epoch, processId, address } = report;
    if (report.replicated === true) events.emit("room.replicated", { roomId });
    const at = { processId, address };
    const room = rooms.get(roomId);
    const fenced = room?.fencedEpoch ?? remembered.get(roomId)?.fencedEpoch ?? 0;
    if (report.passive) {
      const expected = room?.stage.state === "migrating" && room.stage.toHostId === hostId;
      // It may become the owner this very moment: its source decides, then this broker asks.
      const mayArrive = expected || remembered.has(roomId) || openMoves.undecided(roomId);
      if (!mayArrive) this.#dispose(host, roomId, epoch);
      return;
    }
    if (room === undefined) {
      // Its players have been told that it is over.
      if (this.#options.ended.takeCopy(report)) {
        this.#dispose(host, roomId, epoch + 1);
        return;
      }
      const record = remembered.get(roomId);
      if (record !== undefined && (record.epoch > epoch || (epoch !== record.epoch && epoch <= fenced))) {
        this.#dispose(host, roomId, Math.max(record.epoch, epoch + 1));
        return;
      }
      const known = record !== undefined && record.hostId === hostId && record.epoch === epoch;
      // A room that nobody has on record is whose it says: so they all come back after the store was lost.
      if (record === undefined || known || this.#ledTo(hostId, report)) this.#adopt(host, report, record);
      else this.#refuseClaim(host, report, record);
      return;
    }
    if (room.stage.hostId === hostId && epoch === room.epoch) {
      if (room.stage.state === "restoring" && !rescues.giveBack(roomId)) {
        this.#dispose(host, roomId, epoch + 1);
        return;
      }
      if (room.stage.state !== "creating") rooms.apply(room, { type: "host-back", at });
      this.#callOff(host, room);
      this.#sessions(room, report);
      return;
    }
    const { stage } = room;
    // Fenced beyond its epoch, it was taken back while the host counted as lost.
    if (
      stage.state === "migrating" &&
      stage.toHostId === hostId &&
      epoch === stage.toEpoch &&
      epoch >= fenced
    ) {
      events.emit("move.arrived", { hostId, report });
      return;
    }
    const known = room.stage.state === "migrating" ? room.stage.toEpoch : room.epoch;
    // Ordered by another broker, or by this one, which gave up waiting; nobody was asked since.
    const isAsked = room.asked?.hostId === hostId && room.asked.epoch === epoch && epoch === fenced;
    if (epoch > known && (epoch > fenced || isAsked) && room.stage.state !== "creating") {
      if (!this.#ledTo(hostId, report) && !this.#bothUnproved(room)) {
        this.#refuseClaim(host, report, { hostId: room.stage.hostId, epoch: room.epoch });
        return;
      }
      // The owner changed and another broker, or none, saw it: the newer epoch is right.
      const former = this.#options.hosts.get(room.stage.hostId);
      rooms.apply(room, { type: "relocated", hostId, at, epoch });
      if (former !== undefined && former !== host && this.#options.owns(roomId))
        this.#dispose(former, roomId, epoch);
      this.#sessions(room, report);
      records
        .put(room)
        .catch((cause: unknown) =>
          logger.error({ roomId, cause }, "the room's new host could not be stored"),
        );
      return;
    }
    this.#dispose(host, roomId, Math.max(room.epoch, epoch + 1));
  }

  /** A room from before a restart that its host does not have, or whose host has not come back yet. */
  notFound(record: RoomRecord): void {
    const { events, logger } = this.#options;
    const { roomId, hostId } = record;
    logger.warn({ roomId, hostId }, "room from before the restart was not found again");
    const room = this.#enter(record, { processId: "", address: "" }, record);
    const without: WithoutCheckpoint = this.#options.hosts.get(hostId) === undefined ? "wait" : "dispose";
    events.emit("room.away", { room, without });
  }

  /**
   * The broker that decided before had put another owner on record than is known to run the room. Whether that one was
   * told is not known: it says so when it is asked to let go, or comes back with it.
   */
  overtaken(room: RoomEntry, record: RoomRecord): void {
    const former = this.#options.hosts.get(room.stage.hostId);
    if (former === undefined || room.stage.hostId === record.hostId) return;
    this.#follow(room, record);
    this.#dispose(former, room.roomId, record.epoch);
    this.#options.events.emit("room.away", { room, without: "wait" });
  }

  /** The room is where it is on record, which has yet to say so. */
  #follow(room: RoomEntry, { hostId, epoch, fencedEpoch, standby }: RoomRecord): void {
    const { rooms, clock } = this.#options;
    rooms.apply(room, { type: "relocated", hostId, at: { processId: "", address: "" }, epoch });
    rooms.apply(room, { type: "host-lost", atMs: clock.now() });
    room.fencedEpoch = Math.max(room.fencedEpoch, fencedEpoch);
    room.standby = standby;
  }

  /** Another host has a room, or gets it, at that epoch: what this one has of it from before is over. */
  leftBehind(host: HostEntry, roomId: string, epoch: number): void {
    const room = this.#options.rooms.get(roomId);
    if (room?.stage.hostId !== host.facts.hostId || room.epoch < epoch) this.#dispose(host, roomId, epoch);
  }

  /** Another broker gave a room away that this host is taken to have, as is on record: what it has of it is over. */
  givenAway(host: HostEntry, record: RoomRecord): void {
    const { roomId, epoch, fencedEpoch } = record;
    const room = this.#options.rooms.get(roomId);
    const { hostId } = host.facts;
    if (room?.stage.hostId !== hostId || record.hostId === hostId) return;
    const isNewer = epoch > room.epoch;
    if (!isNewer && !(epoch < room.epoch && room.epoch <= fencedEpoch)) return;
    this.#dispose(host, roomId, Math.max(epoch, room.epoch + 1));
    // Or the end of this copy would be taken for the room's.
    if (room.stage.state === "restoring") {
      room.fencedEpoch = Math.max(room.fencedEpoch, fencedEpoch, epoch);
      if (epoch > (room.asked?.epoch ?? 0) && isNewer) room.asked = { hostId: record.hostId, epoch };
      return;
    }
    if (room.stage.state === "creating") return;
    this.#follow(room, record);
    const peer = this.#options.hosts.get(record.hostId)?.peer;
    // One from which it was taken back for a while has nothing to say about it, unless it says hello.
    if (!isNewer) peer?.close();
    void this.#rescueUnlessThere(room, peer);
  }

  /** What the room's host had to say by now may be that it has it. */
  async #rescueUnlessThere(room: RoomEntry, peer: AgentPeer | undefined): Promise<void> {
    await peer?.alive();
    const isAway = this.#options.rooms.get(room.roomId) === room && room.stage.state === "restoring";
    if (isAway) this.#options.events.emit("room.away", { room, without: "wait" });
  }

  /** True if an order to this host, or a move that was under way, gave it the room at this epoch. */
  #ledTo(hostId: string, { roomId, epoch, grant }: RoomReport): boolean {
    const claim = { roomId, hostId, epoch };
    return this.#options.grants.valid(claim, grant) || this.#options.openMoves.leadsTo(claim);
  }

  /**
   * Of hosts that come back after the store was lost none can prove anything: the higher epoch is right as long as
   * they are coming back, since a move may have ended meanwhile; after that the first has it.
   */
  #bothUnproved(room: RoomEntry): boolean {
    return (
      this.#unproved.has(room) && this.#options.clock.now() - this.#startedAtMs < this.#options.rejoinGraceMs
    );
  }

  /** Only the broker that decides about the room ends the copy: others may not know yet what it has ordered. */
  #refuseClaim(
    host: HostEntry,
    { roomId, epoch }: RoomReport,
    recorded: Pick<RoomRecord, "hostId" | "epoch">,
  ): void {
    const { hostId } = host.facts;
    this.#options.logger.error(
      { hostId, roomId, epoch, recorded: { hostId: recorded.hostId, epoch: recorded.epoch } },
      "host claims a room that no move, restore or takeover on record gave it; refused",
    );
    this.#options.events.emit("room.claim-refused", { roomId, hostId });
    if (this.#options.owns(roomId)) this.#dispose(host, roomId, epoch + 1);
  }

  #adopt(host: HostEntry, report: RoomReport, record: RoomRecord | undefined): void {
    const { clock, records, logger } = this.#options;
    const { roomId, processId, address } = report;
    const { hostId } = host.facts;
    const createdAtMs = record?.createdAtMs ?? clock.now();
    const room = this.#enter({ ...report, hostId, createdAtMs }, { processId, address }, record);
    if (record === undefined && !this.#ledTo(hostId, report)) this.#unproved.add(room);
    this.#sessions(room, report);
    records
      .put(room)
      .catch((cause: unknown) => logger.error({ roomId, cause }, "found room could not be stored"));
  }

  #sessions(room: RoomEntry, report: RoomReport): void {
    this.#options.rooms.listing(room, report);
    if (report.work !== undefined) this.#options.rooms.worked(room, report.work);
    if (report.activity !== undefined) this.#options.rooms.acted(room, report.activity);
    const { rooms, tracked } = this.#options;
    const { sessions } = report;
    if (tracked.has(room)) rooms.reconcile(room, sessions);
    else
      rooms.count(
        room,
        sessions.length,
        sessions.map(({ sessionId }) => sessionId),
      );
  }

  /** Rooms that should be on this host and are not: its process was started anew. */
  #missing(host: HostEntry, reported: ReadonlySet<string>): void {
    const { rooms, remembered, events, logger } = this.#options;
    const { hostId } = host.facts;
    for (const roomId of [...host.roomIds]) {
      if (reported.has(roomId)) continue;
      const room = rooms.get(roomId);
      if (room?.stage.hostId !== hostId) continue;
      if (room.stage.state !== "running" && room.stage.state !== "restoring") continue;
      logger.error({ hostId, roomId }, "room ended with its host's process");
      events.emit("room.away", { room, without: "dispose" });
    }
    for (const record of [...remembered.values()])
      if (record.hostId === hostId && !reported.has(record.roomId)) this.notFound(record);
  }

  /** A room that this broker has not made is known from now on, with what is on record of it. */
  #enter(
    facts: Pick<RoomRecord, "roomId" | "name" | "carrier" | "epoch" | "createdAtMs" | "hostId">,
    at: RoomAddress,
    record: RoomRecord | undefined,
  ): RoomEntry {
    const { roomId, name, carrier, epoch, createdAtMs, hostId } = facts;
    this.#options.remembered.delete(roomId);
    const stage = { state: "running", hostId, at } as const;
    const room = this.#options.rooms.add({ roomId, name, carrier, epoch, createdAtMs, stage });
    room.fencedEpoch = record?.fencedEpoch ?? 0;
    // A standby of an older epoch was struck off when the room moved.
    if (record?.epoch === epoch) room.standby = record.standby;
    return room;
  }

  /** Until the host has heard it: a source that does not know how its move ended waits for this. */
  #callOff(host: HostEntry, room: RoomEntry): void {
    const { calledOff: migrationId, roomId } = room;
    const { peer } = host;
    if (migrationId === undefined || peer === undefined) return;
    peer.request({ method: "abortMigration", migrationId, roomId }).then(
      () => {
        if (room.calledOff === migrationId) room.calledOff = undefined;
      },
      (cause: unknown) => {
        const { clock, logger } = this.#options;
        logger.warn({ roomId, cause }, "a move could not be called off yet");
        clock.after(CALL_OFF_AGAIN_MS, () => {
          // A connection that broke brings another hello.
          if (host.peer === peer) this.#callOff(host, room);
        });
      },
    );
  }

  #dispose(host: HostEntry, roomId: string, epoch: number): void {
    const { hostId } = host.facts;
    this.#options.logger.warn(
      { hostId, roomId, epoch },
      "host has a room that lives elsewhere; it must let go",
    );
    host.peer?.request({ method: "disposeRoom", roomId, epoch }).catch((cause: unknown) => {
      this.#options.logger.debug({ hostId, roomId, cause }, "it had let go already");
    });
  }
}
