/**
 * Shows operators what happens: domain events become the event stream's changes. What this broker alone knows goes to
 * the other brokers' streams too; all else each of them hears from the hosts.
 */
import type { Receipt } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Cluster } from "../cluster/cluster.js";
import type { Emitter } from "../events/emitter.js";
import { type Change, EventHub, type SnapshotBody } from "../events/event-hub.js";
import type { HostEvents } from "../hosts/host-events.js";
import { type HostEntry, type HostRegistry, hostView } from "../hosts/host-registry.js";
import type { Migrator } from "../moves/migrator.js";
import type { MoveEvents } from "../moves/move-events.js";
import type { PlacementEvents } from "../placement/placement-events.js";
import type { ProbeEvents } from "../probes/probe-intake.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomEntry, RoomRegistry, RoomSession } from "../rooms/room-registry.js";
import type { TrackedRooms } from "../rooms/tracked-rooms.js";
import type { Views } from "./views.js";

/** Receipts in a snapshot. */
export const RECENT_RECEIPTS = 50;

export interface EventFeedOptions {
  brokerId: string;
  emulated: boolean;
  events: Emitter<HostEvents & RoomEvents & MoveEvents & PlacementEvents & ProbeEvents>;
  hosts: HostRegistry;
  rooms: RoomRegistry;
  views: Views;
  migrator: Migrator;
  tracked: Pick<TrackedRooms, "watch">;
  cluster: Pick<Cluster, "members" | "publish">;
  clock: Clock;
  /** Of before this broker started, oldest first. */
  receipts: readonly Receipt[];
}

export class EventFeed {
  readonly hub: EventHub;
  readonly #options: EventFeedOptions;

  constructor(options: EventFeedOptions) {
    this.#options = options;
    const { events, brokerId, emulated, hosts, rooms, views, migrator, tracked, clock } = options;
    const receipts = [...options.receipts];
    const snapshot = (): SnapshotBody => ({
      brokerId,
      emulated,
      hosts: [...hosts.values()].map(hostView),
      rooms: [...rooms.values()].map((room) => views.room(room)),
      players: [...rooms.values()].flatMap((room) => views.players(room)),
      migrations: migrator.views(),
      receipts: [...receipts],
    });
    // Whoever watches players wants to see those of other brokers' rooms too.
    const hub = new EventHub(clock, snapshot, (wants) => tracked.watch(wants("player", undefined)));
    this.hub = hub;
    const showHost = ({ host }: { host: HostEntry }): void =>
      hub.emit("host", () => ({ type: "host", host: hostView(host) }));
    events.on("host.changed", showHost);
    events.on("host.usage", showHost);
    events.on("host.removed", ({ hostId }) =>
      hub.emit("host-removed", () => ({ type: "host-removed", hostId })),
    );
    events.on("room.changed", ({ room }) =>
      hub.emit("room", () => ({ type: "room", room: views.room(room) }), room.roomId),
    );
    events.on("room.removed", ({ room: { roomId } }) =>
      hub.emit("room-removed", () => ({ type: "room-removed", roomId })),
    );
    events.on("session.joined", ({ room, session }) => this.#showPlayer(room, session));
    events.on("session.left", ({ room: { roomId }, session: { playerId, stage } }) => {
      if (playerId !== undefined && stage.state === "connected")
        hub.emit("player-removed", () => ({ type: "player-removed", playerId, roomId }));
    });
    events.on("player.measured", ({ player }) => {
      for (const session of player.sessions.values()) this.#showPlayer(rooms.get(session.roomId), session);
    });
    events.on("decision.made", ({ decision }) =>
      this.#publish("decision", () => ({ type: "decision", decision })),
    );
    events.on("move.progressed", ({ migration }) =>
      this.#publish("migration", () => ({ type: "migration", migration })),
    );
    events.on("move.finished", ({ receipt }) => {
      receipts.push(receipt);
      if (receipts.length > RECENT_RECEIPTS) receipts.shift();
      this.#publish("receipt", () => ({ type: "receipt", receipt }));
    });
  }

  #showPlayer(room: RoomEntry | undefined, session: RoomSession): void {
    if (room === undefined || session.stage.state !== "connected") return;
    this.hub.emit("player", () => {
      const player = this.#options.views.player(room, session);
      return player && { type: "player", player };
    });
  }

  #publish(type: Change["type"], build: () => Change): void {
    const { cluster } = this.#options;
    this.hub.emit(type, build);
    if (cluster.members().length > 1) cluster.publish("event", build());
  }
}
