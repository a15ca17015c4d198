/**
 * Hosts come, beat, fall silent and come back, and bring their rooms. After a restart of the broker this is how
 * everything is found again: hosts know what they run and at which epoch, the store knows who was last to own.
 */
import { CentroidError, type RoomCheckpoint, type RoomReport } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { Failover } from "../failover/failover.js";
import type { Standbys } from "../failover/standbys.js";
import type { Migrator } from "../moves/migrator.js";
import type { OpenMoves } from "../moves/open-moves.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { RoomAddress } from "../rooms/room-stage.js";
import type { RoomRecord, StoredCheckpoint } from "../store/store.js";
import type { AgentLink } from "./agent-link.js";
import type { Hello, RoomEventMessage } from "./agent-server.js";
import { type HostEntry, type HostRegistry, takesRooms } from "./host-registry.js";
import type { RoomGrants } from "./room-grants.js";

/** Of the silence that counts: a broker that has not listened for so long was not there itself. */
const STOOD_STILL_SHARE = 1 / 4;
/** Of it again: more than a beat may well be late. */
const SUSPECT_SHARE = 1 / 2;
/** Of it again: a host that was heard within this is heard now. */
const FRESH_SHARE = 1 / 4;
/** The other brokers have answered by then. */
const ANSWER_MS = 200;

export interface HostDeskOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  migrator: Migrator;
  failover: Failover;
  standbys: Standbys;
  clock: Clock;
  logger: Logger;
  /** Rooms known from before this broker started; taken out as their hosts say hello. */
  remembered: Map<string, RoomRecord>;
  openMoves: OpenMoves;
  grants: RoomGrants;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
  /** A host said that it runs a room to which nothing on record leads it. */
  onRefusedClaim: () => void;
  /** So long after the start, hosts are still coming back. */
  rejoinGraceMs: number;
  lostAfterMs: number;
  /** An agent that does not dial again within this after its connection broke has died. */
  redialMs: number;
  /** The same of an agent whose rooms' machines go on without it: it may be started again. */
  agentRestartMs: number;
  /** A host away longer than this is forgotten with its rooms. */
  forgetAfterMs: number;
  /** Stores a checkpoint; resolves when it is durable. */
  putCheckpoint: (checkpoint: StoredCheckpoint) => Promise<void>;
  onHost: (host: HostEntry) => void;
  onHostRemoved: (hostId: string) => void;
  /** It has been silent for longer than it should; told once. */
  onSuspect: (host: HostEntry) => void;
  /** Asks the other brokers whether they hear a host that this one does not. */
  ask: (hostId: string) => void;
  /** Tells the other brokers that this one hears it. */
  answer: (hostId: string) => void;
  /** Its load or memory has changed, not its standing. */
  onUsage: (host: HostEntry) => void;
  onOwner: (room: RoomEntry) => Promise<void>;
  /** A remembered room that is not there any more. */
  onGone: (roomId: string) => void;
}

export class HostDesk {
  readonly #options: HostDeskOptions;
  #stopped = false;
  #sweptAtMs: number;
  readonly #startedAtMs: number;
  /** Rooms that were on no record when a host said that it runs them. */
  readonly #unproved = new WeakSet<RoomEntry>();
  #awakeSinceMs = 0;
  /** Hosts that are silent, with when they were heard last. */
  readonly #suspected = new WeakMap<HostEntry, number>();
  /** Hosts whose agent ended, with until when it may be started again. */
  readonly #restarting = new WeakMap<HostEntry, number>();
  /** When another broker last said that it hears a host: as long as one does, the host runs its rooms. */
  readonly #elsewhereMs = new WeakMap<HostEntry, number>();

  constructor(options: HostDeskOptions) {
    this.#options = options;
    this.#sweptAtMs = options.clock.now();
    this.#startedAtMs = this.#sweptAtMs;
  }

  hello(hello: Hello, link: AgentLink): void {
    const { hosts, clock, logger, onHost } = this.#options;
    const { type: _, rooms: reports, ...facts } = hello;
    const host = hosts.hello(facts, link, clock.now());
    logger.info({ hostId: facts.hostId, rooms: reports.length }, "host connected");
    for (const report of reports) this.#reported(host, report);
    this.#missing(host, new Set(reports.map(({ roomId }) => roomId)));
    onHost(host);
  }

  heartbeat(hostId: string, load: number, rssBytes: number): void {
    const host = this.#options.hosts.get(hostId);
    if (host === undefined) return;
    const news = host.load !== load || host.rssBytes !== rssBytes;
    host.load = load;
    host.rssBytes = rssBytes;
    host.lastHeartbeatAtMs = this.#options.clock.now();
    // It was silent for long: whatever it runs may be over. Its next hello says what that is.
    if (host.stage.state === "lost") host.peer?.close();
    else if (news) this.#options.onUsage(host);
  }

  closed(link: AgentLink): void {
    const host = this.#options.hosts.get(link.hostId);
    if (host?.peer !== link) return;
    host.peer = undefined;
    this.#options.logger.warn({ hostId: link.hostId }, "connection to host broke");
    this.#options.onHost(host);
    const { clock, redialMs, agentRestartMs, ask } = this.#options;
    const goesOn = host.facts.carriers.includes("vm");
    const awayMs = goesOn ? agentRestartMs : redialMs;
    if (goesOn) this.#restarting.set(host, clock.now() + awayMs);
    const isAway = (): boolean =>
      !this.#stopped &&
      host.peer === undefined &&
      host.stage.state !== "lost" &&
      this.#options.hosts.get(link.hostId) === host;
    const answerMs = Math.min(ANSWER_MS, awayMs);
    // Asked late: another broker may see the same agent end a moment later than this one.
    clock.after(awayMs - answerMs, () => {
      if (!isAway()) return;
      const askedAtMs = clock.now();
      ask(link.hostId);
      clock.after(answerMs, () => {
        // If only the way from here is cut, silence will tell when the others hear it no more either.
        const heard = (this.#elsewhereMs.get(host) ?? Number.NEGATIVE_INFINITY) >= askedAtMs;
        if (isAway() && !heard) this.#lost(host, "its agent ended");
      });
    });
  }

  /** Another broker does not hear this host. */
  asked(hostId: string): void {
    const { hosts, clock, lostAfterMs, answer } = this.#options;
    const host = hosts.get(hostId);
    if (host?.peer === undefined || host.stage.state === "lost") return;
    if (clock.now() - host.lastHeartbeatAtMs < lostAfterMs * FRESH_SHARE) answer(hostId);
  }

  /** Another broker hears this host, so its lease goes on and its rooms run. */
  heardElsewhere(hostId: string): void {
    const host = this.#options.hosts.get(hostId);
    if (host !== undefined) this.#elsewhereMs.set(host, this.#options.clock.now());
  }

  /** Hosts that go from now on go with the broker. */
  stop(): void {
    this.#stopped = true;
  }

  /** To be called a dozen times in the time after which a silent host is lost. */
  sweep(): void {
    const { hosts, clock, lostAfterMs, forgetAfterMs } = this.#options;
    const now = clock.now();
    // A broker that stood still has not read yet what hosts said meanwhile: silence counts from when it woke up.
    if (now - this.#sweptAtMs > lostAfterMs * STOOD_STILL_SHARE) this.#awakeSinceMs = now;
    this.#sweptAtMs = now;
    for (const host of [...hosts.values()]) {
      const elsewhereMs = this.#elsewhereMs.get(host) ?? Number.NEGATIVE_INFINITY;
      const silentMs = now - Math.max(host.lastHeartbeatAtMs, this.#awakeSinceMs, elsewhereMs);
      if (host.peer === undefined && now < (this.#restarting.get(host) ?? 0)) continue;
      if (host.stage.state !== "lost" && silentMs > lostAfterMs) this.#lost(host, "no heartbeat");
      else if (host.stage.state !== "lost" && silentMs > lostAfterMs * SUSPECT_SHARE) {
        this.#suspect(host);
        this.#options.ask(host.facts.hostId);
      } else if (host.stage.state === "lost" && silentMs > forgetAfterMs) this.#forget(host);
    }
  }

  /** @returns false if it is not from the room's owner, and was not kept */
  async checkpoint(
    hostId: string,
    { roomId, epoch, seq, takenAtMs, data }: RoomCheckpoint,
  ): Promise<boolean> {
    const room = this.#options.rooms.get(roomId);
    if (room === undefined || room.stage.hostId !== hostId || room.epoch !== epoch) return false;
    await this.#options.putCheckpoint({ roomId, epoch, seq, takenAtMs, data: Buffer.from(data, "base64") });
    return true;
  }

  room(hostId: string, { roomId, epoch, change }: RoomEventMessage): void {
    const { hosts, rooms, migrator, failover, standbys, logger } = this.#options;
    if (change.event === "report") failover.hear(change);
    if (change.event === "standby-broken") {
      standbys.broken(hostId, roomId, change.standbyId);
      return;
    }
    if (change.event === "standby-orphaned") {
      standbys.orphaned(hostId, roomId, change.standbyId);
      return;
    }
    if (change.event === "running") {
      if (change.report.replicated === true) standbys.watch(roomId);
      const host = hosts.get(hostId);
      const known = rooms.get(roomId);
      // Those that ordered it here hear of it as the answer to their request.
      if (known !== undefined && (known.epoch >= epoch || known.stage.state !== "running")) {
        if (known.stage.state !== "restoring" || failover.active(roomId)) return;
      }
      if (host !== undefined) this.#reported(host, change.report);
      return;
    }
    if (change.event === "phase" || change.event === "owned" || change.event === "report") {
      migrator.hear(hostId, change);
      return;
    }
    const room = rooms.get(roomId);
    if (room === undefined || room.stage.state === "disposed") return;
    const fromOwner = room.stage.hostId === hostId && epoch === room.epoch;
    // The last words of the host that had it before the switch may come after the first of the new one.
    const lastWords = room.previousHostId === hostId && epoch < room.epoch;
    switch (change.event) {
      case "joined":
        if (fromOwner || (lastWords && room.sessions.has(change.sessionId)))
          rooms.joined(room, change.sessionId, change.playerId);
        return;
      case "left":
        if (fromOwner || lastWords) rooms.left(room, change.sessionId);
        return;
      case "listing":
        if (fromOwner) rooms.listing(room, change);
        return;
      case "disposed":
        if (fromOwner) rooms.apply(room, { type: "dispose" });
        return;
      case "lost":
        if (!fromOwner) return;
        logger.error({ hostId, roomId, code: change.error.code }, `room lost: ${change.error.message}`);
        if (change.blame !== undefined) failover.blame(room, change.blame);
        // A move under way asks both sides before anything is given up.
        if (room.stage.state !== "migrating") failover.rescue(room, "dispose");
        return;
      default: {
        const never: never = change;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  #reported(host: HostEntry, report: RoomReport): void {
    const { rooms, migrator, failover, standbys, remembered, openMoves, onOwner, logger } = this.#options;
    const { hostId } = host.facts;
    const { roomId, epoch, processId, address } = report;
    if (report.replicated === true) standbys.watch(roomId);
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
      if (room.stage.state === "restoring" && !failover.giveBack(roomId)) {
        this.#dispose(host, roomId, epoch + 1);
        return;
      }
      if (room.stage.state !== "creating") rooms.apply(room, { type: "host-back", at });
      this.#callOff(host, room);
      this.#sessions(room, report);
      return;
    }
    if (room.stage.state === "migrating" && room.stage.toHostId === hostId && epoch === room.stage.toEpoch) {
      migrator.found(hostId, report);
      return;
    }
    if (epoch > room.epoch && epoch > fenced && room.stage.state !== "migrating") {
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
      onOwner(room).catch((cause: unknown) =>
        logger.error({ roomId, cause }, "the room's new host could not be stored"),
      );
      return;
    }
    this.#dispose(host, roomId, Math.max(room.epoch, epoch + 1));
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
    this.#options.onRefusedClaim();
    if (this.#options.owns(roomId)) this.#dispose(host, roomId, epoch + 1);
  }

  #adopt(host: HostEntry, report: RoomReport, record: RoomRecord | undefined): void {
    const { clock, onOwner, logger } = this.#options;
    const { roomId, processId, address } = report;
    const { hostId } = host.facts;
    const createdAtMs = record?.createdAtMs ?? clock.now();
    const room = this.#enter({ ...report, hostId, createdAtMs }, { processId, address }, record);
    if (record === undefined && !this.#ledTo(hostId, report)) this.#unproved.add(room);
    this.#sessions(room, report);
    onOwner(room).catch((cause: unknown) =>
      logger.error({ roomId, cause }, "found room could not be stored"),
    );
  }

  #sessions(room: RoomEntry, report: RoomReport): void {
    this.#options.rooms.listing(room, report);
    this.#options.rooms.reconcile(room, report.sessions);
  }

  /** Rooms that should be on this host and are not: its process was started anew. */
  #missing(host: HostEntry, reported: ReadonlySet<string>): void {
    const { rooms, remembered, failover, logger } = this.#options;
    const { hostId } = host.facts;
    for (const roomId of [...host.roomIds]) {
      if (reported.has(roomId)) continue;
      const room = rooms.get(roomId);
      if (room?.stage.hostId !== hostId) continue;
      if (room.stage.state !== "running" && room.stage.state !== "restoring") continue;
      logger.error({ hostId, roomId }, "room ended with its host's process");
      failover.rescue(room, "dispose");
    }
    for (const record of [...remembered.values()])
      if (record.hostId === hostId && !reported.has(record.roomId)) this.notFound(record);
  }

  #suspect(host: HostEntry): void {
    if (this.#suspected.get(host) === host.lastHeartbeatAtMs) return;
    this.#suspected.set(host, host.lastHeartbeatAtMs);
    this.#options.onSuspect(host);
  }

  #lost(host: HostEntry, why: string): void {
    const { hosts, rooms, clock, logger, onHost, failover } = this.#options;
    const { hostId } = host.facts;
    hosts.apply(hostId, { type: "missed-heartbeats", atMs: clock.now() });
    logger.error({ hostId, rooms: host.roomIds.size }, `host lost: ${why}`);
    for (const roomId of [...host.roomIds]) {
      const room = rooms.get(roomId);
      if (room?.stage.state === "running" && room.stage.hostId === hostId) failover.rescue(room, "wait");
    }
    onHost(host);
  }

  #forget(host: HostEntry): void {
    const { hosts, rooms, logger, onHostRemoved } = this.#options;
    const { hostId } = host.facts;
    for (const roomId of [...host.roomIds]) {
      const room = rooms.get(roomId);
      if (room?.stage.hostId === hostId && room.stage.state === "restoring")
        rooms.apply(room, { type: "dispose" });
    }
    hosts.remove(hostId);
    logger.warn({ hostId }, "host forgotten: it did not come back");
    onHostRemoved(hostId);
  }

  /** A room from before a restart that its host does not have, or whose host did not come back. */
  notFound(record: RoomRecord): void {
    const { failover, logger } = this.#options;
    const { roomId, hostId } = record;
    logger.warn({ roomId, hostId }, "room of before was not found again");
    failover.rescue(this.#enter(record, { processId: "", address: "" }, record), "dispose");
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
        this.#options.logger.warn({ roomId, cause }, "a move could not be called off yet");
        // A connection that broke brings another hello.
        if (host.peer === peer) this.#callOff(host, room);
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

/** True if some host could take a new room now. */
export function anyHostTakesRooms(hosts: HostRegistry): boolean {
  for (const host of hosts.values()) if (takesRooms(host)) return true;
  return false;
}
