/**
 * Warm standbys of the rooms that ask for one: each is kept on the second-best host and fed by the room's own. Which
 * standby would get the room is on record before the room relies on it, and off the record before the room goes on
 * without it, so that a room is never given to a copy that has missed something.
 */
import { CentroidError } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import type { Logger } from "../base/logger.js";
import type { Emitter } from "../events/emitter.js";
import type { AddressBook } from "../hosts/address-book.js";
import type { HostEvents } from "../hosts/host-events.js";
import { type AgentPeer, type HostEntry, type HostRegistry, peerOf } from "../hosts/host-registry.js";
import { destinationOf } from "../moves/destination.js";
import type { PlacementEngine } from "../placement/engine.js";
import { roomFacts } from "../placement/room-facts.js";
import type { OwnerRecords } from "../rooms/owner-records.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomEntry, RoomRegistry } from "../rooms/room-registry.js";
import type { StandbyRecord, Store } from "../store/store.js";

/** The first room of a host waits for its process to start, on a busy machine for long. */
const PREPARE_TIMEOUT_MS = 12_000;
/** After an attempt that failed. */
const RETRY_MS = 2_000;
/** How often it is looked whether another host has become the second best. */
const RANK_INTERVAL_MS = 10_000;
/** A standby moves only to a host that is so much better: feeding it anew costs more than a little distance. */
const WORTH_MOVING = 0.8;

export interface StandbysOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  engine: PlacementEngine;
  addresses: AddressBook;
  clock: Clock;
  newId: NewId;
  logger: Logger;
  store: Pick<Store, "putCheckpoint">;
  records: OwnerRecords;
  events: Emitter<HostEvents & RoomEvents>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
}

interface Watch {
  /** One thing at a time. */
  work: Promise<void>;
  looking: boolean;
  /** The standby that this broker made and that the room's host confirms by. */
  armed: string | undefined;
  orphaned: StandbyRecord | undefined;
  notBeforeMs: number;
  rankedAtMs: number;
}

export class Standbys {
  readonly #options: StandbysOptions;
  readonly #watches = new Map<string, Watch>();
  #stopped = false;

  constructor(options: StandbysOptions) {
    this.#options = options;
    const { events } = options;
    events.on("host.changed", ({ host }) => this.#hostChanged(host));
    events.on("room.removed", ({ room }) => this.#watches.delete(room.roomId));
    events.on("room.replicated", ({ roomId }) => this.#watch(roomId));
    events.on("standby.broken", (standby) => this.#broken(standby));
    events.on("standby.orphaned", (standby) => this.#orphaned(standby));
  }

  /** The room asks for a standby. */
  #watch(roomId: string): void {
    if (this.#watches.has(roomId)) return;
    this.#watches.set(roomId, {
      work: Promise.resolve(),
      looking: false,
      armed: undefined,
      orphaned: undefined,
      notBeforeMs: 0,
      rankedAtMs: 0,
    });
  }

  stop(): void {
    this.#stopped = true;
  }

  /** To be called every second or so. */
  sweep(): void {
    for (const [roomId, watch] of this.#watches) {
      const room = this.#options.rooms.get(roomId);
      if (room !== undefined) this.#look(room, watch);
    }
  }

  /** A host came, went, broke off or changed its standing. */
  #hostChanged({ roomIds, facts: { hostId } }: HostEntry): void {
    for (const [roomId, watch] of this.#watches) {
      const room = this.#options.rooms.get(roomId);
      if (room === undefined) continue;
      if (roomIds.has(roomId)) this.#check(room, watch);
      if (room.standby?.hostId !== hostId) continue;
      watch.rankedAtMs = 0;
      this.#look(room, watch);
    }
  }

  /** The room's host says that the standby is gone; the room stands still until it hears that it may go on. */
  #broken({ hostId, roomId, standbyId }: RoomEvents["standby.broken"]): void {
    const watch = this.#watches.get(roomId);
    if (watch === undefined) return;
    this.#run(roomId, watch, async (room) => {
      const isOver = room.stage.state === "restoring" || room.stage.hostId !== hostId;
      if (isOver || !this.#options.owns(roomId)) return;
      if (room.standby !== undefined && room.standby.standbyId !== standbyId) return;
      await this.#strike(room, watch);
      await this.#owner(room).request({ method: "setAckPolicy", roomId, standbyId, where: "none" });
    });
    this.#lookAgain(roomId, watch);
  }

  /** The standby's host says that the room's host is gone. */
  #orphaned({ hostId, roomId, standbyId }: RoomEvents["standby.orphaned"]): void {
    const watch = this.#watches.get(roomId);
    if (watch === undefined) return;
    watch.orphaned = { hostId, standbyId };
    const room = this.#options.rooms.get(roomId);
    if (room !== undefined) this.#check(room, watch);
  }

  /**
   * Before a move: what only the standby has goes into a checkpoint, then there is none on record. Does nothing for rooms
   * without one.
   * @returns the standby, if it is at the destination: it is fed as before, until it becomes the room
   */
  async beforeMove(room: RoomEntry, toHostId: string): Promise<string | undefined> {
    const watch = this.#watches.get(room.roomId);
    if (watch === undefined) return undefined;
    await watch.work;
    const { standby } = room;
    if (standby === undefined) return undefined;
    if (standby.hostId !== toHostId || watch.armed !== standby.standbyId) {
      await this.#end(room, watch, standby);
      return undefined;
    }
    await this.#save(room, standby);
    await this.#strike(room, watch);
    return standby.standbyId;
  }

  /** Both ends of the feed and the agent's connection broke: nobody runs the room. */
  #check(room: RoomEntry, watch: Watch): void {
    const { hosts, owns, events } = this.#options;
    const { standby, stage, roomId } = room;
    if (standby === undefined || watch.orphaned?.standbyId !== standby.standbyId) return;
    if (watch.orphaned.hostId !== standby.hostId) return;
    if (stage.state !== "running" || hosts.get(stage.hostId)?.peer !== undefined || !owns(roomId)) return;
    events.emit("room.away", { room, without: "wait" });
  }

  #look(room: RoomEntry, watch: Watch): void {
    const { clock, hosts, owns } = this.#options;
    const settled = room.standby !== undefined && watch.armed === room.standby.standbyId;
    const ranked = settled && clock.now() - watch.rankedAtMs < RANK_INTERVAL_MS;
    if (watch.looking || ranked || this.#stopped || clock.now() < watch.notBeforeMs) return;
    // Only processes can be fed.
    if (room.carrier !== "process" || room.stage.state !== "running" || !owns(room.roomId)) return;
    if (hosts.get(room.stage.hostId)?.peer === undefined) return;
    watch.looking = true;
    watch.rankedAtMs = clock.now();
    this.#run(room.roomId, watch, () => this.#reconcile(room, watch));
    void watch.work.then(() => {
      watch.looking = false;
    });
  }

  #lookAgain(roomId: string, watch: Watch): void {
    void watch.work.then(() => {
      const room = this.#options.rooms.get(roomId);
      if (room !== undefined) this.#look(room, watch);
    });
  }

  /** After what is under way for this room. */
  #run(roomId: string, watch: Watch, step: (room: RoomEntry) => Promise<void>): void {
    watch.work = watch.work
      .then(async () => {
        const room = this.#options.rooms.get(roomId);
        if (room !== undefined) await step(room);
      })
      .catch((cause: unknown) => {
        watch.notBeforeMs = this.#options.clock.now() + RETRY_MS;
        this.#options.logger.warn({ roomId, cause }, "the room's standby could not be changed yet");
      });
  }

  async #reconcile(room: RoomEntry, watch: Watch): Promise<void> {
    if (!this.#runs(room)) return;
    const [best, ...others] = this.#ranked(room);
    const { standby } = room;
    if (standby !== undefined) {
      const its = [best, ...others].find((candidate) => candidate?.hostId === standby.hostId);
      const good = its !== undefined && best !== undefined && best.scoreMs >= its.scoreMs * WORTH_MOVING;
      if (good && watch.armed === standby.standbyId) return;
      await this.#end(room, watch, standby);
    }
    if (best !== undefined && this.#runs(room)) await this.#establish(room, watch, best.hostId);
  }

  /** Hosts that could run the room beside its own, best first. */
  #ranked(room: RoomEntry): { hostId: string; scoreMs: number }[] {
    const { engine, clock } = this.#options;
    return engine
      .place(roomFacts(room), clock.now())
      .candidates.filter(
        ({ hostId, rejected }) =>
          hostId !== room.stage.hostId &&
          (rejected === undefined || rejected === "score" || rejected === "cap"),
      )
      .toSorted((a, b) => a.scoreMs - b.scoreMs);
  }

  async #establish(room: RoomEntry, watch: Watch, hostId: string): Promise<void> {
    const { hosts, rooms, records, addresses, newId } = this.#options;
    const { roomId, name, carrier, epoch } = room;
    const owner = this.#owner(room);
    const to = hosts.require(hostId);
    const peer = peerOf(to);
    const standbyId = newId();
    // None is on record: whatever the room waits for will not come.
    await owner.request({ method: "setAckPolicy", roomId, standbyId, where: "none" });
    try {
      const slot = await peer.request(
        { method: "standBy", standbyId, roomId, name, carrier },
        PREPARE_TIMEOUT_MS,
      );
      rooms.offer(room, { hostId, ...slot });
      const destination = destinationOf(addresses, room, slot, to);
      await owner.request({ method: "replicate", standbyId, roomId, destination });
      if (!this.#runs(room) || room.epoch !== epoch)
        throw new CentroidError("ROOM_MOVING", "the room moved while its standby was made");
    } catch (cause) {
      peer.request({ method: "endStandby", standbyId, roomId, carrier }).catch(() => undefined);
      throw cause;
    }
    room.standby = { standbyId, hostId };
    await records.put(room);
    await owner.request({ method: "setAckPolicy", standbyId, roomId, where: "standby" });
    watch.armed = standbyId;
    rooms.touched(room);
  }

  async #end(room: RoomEntry, watch: Watch, standby: StandbyRecord): Promise<void> {
    const { standbyId, hostId } = standby;
    const { roomId, carrier } = room;
    await this.#save(room, standby);
    await this.#strike(room, watch);
    await this.#owner(room).request({ method: "setAckPolicy", roomId, standbyId, where: "none" });
    const peer = this.#options.hosts.get(hostId)?.peer;
    peer?.request({ method: "endStandby", standbyId, roomId, carrier }).catch(() => undefined);
  }

  /** What only the standby has goes into a checkpoint. */
  async #save(room: RoomEntry, { standbyId }: StandbyRecord): Promise<void> {
    const { store } = this.#options;
    const { roomId } = room;
    const owner = this.#owner(room);
    try {
      const { saved } = await owner.request({ method: "setAckPolicy", roomId, standbyId, where: "both" });
      if (saved !== undefined) {
        const data = Buffer.from(saved.data, "base64");
        await store.putCheckpoint({ roomId, ...saved, data }, room.fencedEpoch);
      }
    } catch (cause) {
      // Of an earlier standby, or of a room that cannot be saved just now: there is nothing more to have.
      const { code } = CentroidError.from(cause);
      if (code !== "BAD_REQUEST" && code !== "ROOM_NOT_MOVABLE" && code !== "ROOM_ERROR") throw cause;
    }
  }

  /** From here on the standby on record would not get the room. */
  async #strike(room: RoomEntry, watch: Watch): Promise<void> {
    watch.armed = undefined;
    if (room.standby === undefined) return;
    const struck = room.standby;
    room.standby = undefined;
    try {
      await this.#options.records.put(room);
    } catch (cause) {
      room.standby ??= struck;
      throw cause;
    }
    this.#options.rooms.touched(room);
  }

  #owner(room: RoomEntry): AgentPeer {
    return peerOf(this.#options.hosts.require(room.stage.hostId));
  }

  #runs(room: RoomEntry): boolean {
    const { rooms, owns } = this.#options;
    return rooms.get(room.roomId) === room && room.stage.state === "running" && owns(room.roomId);
  }
}
