/** Keeps the placement engine up to date about hosts, rooms and moves, and marks the rooms to be evaluated again. */
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostEntry } from "../hosts/host-registry.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { PlacementEngine } from "./engine.js";
import type { MoveScheduler } from "./move-scheduler.js";
import type { PlacementEvents } from "./placement-events.js";
import type { PlacementLoop } from "./placement-loop.js";

/** A host whose load changed by so much may be worse or better for its rooms than it was. */
const NOTABLE_LOAD_CHANGE = 0.15;

export class FleetFeed {
  readonly #engine: PlacementEngine;
  readonly #loop: PlacementLoop;
  readonly #notedLoad = new Map<string, number>();

  constructor(
    events: Emitter<HostEvents & RoomEvents & MoveEvents & PlacementEvents>,
    engine: PlacementEngine,
    loop: PlacementLoop,
    scheduler: MoveScheduler,
    clock: Clock,
  ) {
    this.#engine = engine;
    this.#loop = loop;
    events.on("host.changed", ({ host }) => this.#hostChanged(host));
    events.on("host.usage", ({ host }) => this.#hostUsage(host));
    events.on("host.removed", ({ hostId }) => {
      engine.removeHost(hostId);
      this.#notedLoad.delete(hostId);
    });
    events.on("session.joined", ({ room }) => loop.mark(room.roomId));
    events.on("session.left", ({ room }) => loop.mark(room.roomId));
    events.on("room.unplaced", ({ roomId }) => scheduler.planFor(roomId));
    events.on("room.removed", ({ room: { roomId } }) => {
      engine.forgetRoom(roomId);
      loop.forget(roomId);
      scheduler.forget(roomId);
      scheduler.consolidateSoon();
    });
    events.on("move.finished", ({ receipt, room }) => {
      engine.migrated(receipt, clock.now());
      if (room !== undefined) loop.mark(room.roomId);
    });
  }

  #hostChanged(host: HostEntry): void {
    const isNew = !this.#engine.hasHost(host.facts.hostId);
    this.#engine.upsertHost(host);
    this.#markRooms(host);
    if (isNew) this.#loop.hostAdded();
  }

  #hostUsage(host: HostEntry): void {
    const { hostId } = host.facts;
    if (Math.abs((this.#notedLoad.get(hostId) ?? 0) - host.load) < NOTABLE_LOAD_CHANGE) return;
    this.#notedLoad.set(hostId, host.load);
    this.#markRooms(host);
  }

  #markRooms({ roomIds }: HostEntry): void {
    for (const roomId of roomIds) this.#loop.mark(roomId);
  }
}
