/** Keeps the placement engine up to date about hosts, rooms and moves, and marks the rooms to be evaluated again. */
import { type HostWork, workOf } from "@centroid/placement";
import type { Clock } from "../base/clock.js";
import type { Emitter } from "../events/emitter.js";
import type { HostEvents } from "../hosts/host-events.js";
import type { HostEntry } from "../hosts/host-registry.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { PlacementEngine } from "./engine.js";
import type { MoveScheduler } from "./move-scheduler.js";
import type { PlacementEvents } from "./placement-events.js";
import type { PlacementLoop } from "./placement-loop.js";

/** A host whose load changed by so much may be worse or better for its rooms than it was. */
const NOTABLE_LOAD_CHANGE = 0.15;

export class FleetFeed {
  readonly #engine: PlacementEngine;
  readonly #loop: PlacementLoop;
  readonly #rooms: RoomRegistry;
  readonly #notedLoad = new Map<string, number>();

  constructor(
    events: Emitter<HostEvents & RoomEvents & MoveEvents & PlacementEvents>,
    engine: PlacementEngine,
    loop: PlacementLoop,
    scheduler: MoveScheduler,
    rooms: RoomRegistry,
    clock: Clock,
  ) {
    this.#engine = engine;
    this.#loop = loop;
    this.#rooms = rooms;
    events.on("host.changed", ({ host }) => this.#hostChanged(host));
    // Rooms that compute may be better off there, or elsewhere.
    events.on("host.measured", ({ host }) => {
      this.#hostChanged(host);
      loop.hostAdded();
    });
    events.on("room.work-changed", ({ room }) => loop.mark(room.roomId));
    // Whoever has waited for its players to pause may go.
    events.on("room.activity-changed", ({ room }) => loop.mark(room.roomId));
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
    this.#engine.upsertHost(host, () => this.#workOn(host));
    this.#markRooms(host);
    if (isNew) this.#loop.hostAdded();
  }

  #hostUsage(host: HostEntry): void {
    const { hostId } = host.facts;
    if (Math.abs((this.#notedLoad.get(hostId) ?? 0) - host.load) < NOTABLE_LOAD_CHANGE) return;
    this.#notedLoad.set(hostId, host.load);
    this.#markRooms(host);
  }

  #workOn({ roomIds }: HostEntry): HostWork | undefined {
    const rooms = this.#rooms;
    return workOf(
      (function* () {
        for (const roomId of roomIds) {
          const room = rooms.get(roomId);
          if (room !== undefined) yield { work: room.demand, players: room.players };
        }
      })(),
    );
  }

  #markRooms({ roomIds }: HostEntry): void {
    for (const roomId of roomIds) this.#loop.mark(roomId);
  }
}
