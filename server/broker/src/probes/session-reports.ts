/**
 * What players measure reaches the broker by their rooms, and what they are to measure next goes back that way: no request,
 * and one message of a host for many players. Hosts give it to the broker that decides about the room.
 */
import type { RoomEvent } from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomEntry, RoomRegistry, RoomSession } from "../rooms/room-registry.js";
import type { PlayerRegistry } from "./player-registry.js";
import type { ProbeIntake } from "./probe-intake.js";

/** Players of rooms that were another broker's are asked within this time, not all at once. */
const ANEW_MS = 5_000;

export type MeasuredBySession = Extract<RoomEvent, { event: "measured" }>;

export interface SessionReportsOptions {
  hosts: HostRegistry;
  rooms: RoomRegistry;
  players: PlayerRegistry;
  probeIntake: ProbeIntake;
  events: Emitter<RoomEvents>;
  /** True if this broker decides about the room. */
  owns: (roomId: string) => boolean;
}

export class SessionReports {
  readonly #options: SessionReportsOptions;

  constructor(options: SessionReportsOptions) {
    this.#options = options;
    const { events } = options;
    events.on("session.measured", ({ room, session, said }) => this.#measured(room, session, said));
    events.on("room.seated", ({ room }) => this.#askAll([room]));
  }

  /** This broker decides about these rooms from now on: it has to learn how far their players are from the hosts. */
  askAnew(concerned: (roomId: string) => boolean): void {
    this.#askAll([...this.#options.rooms.values()].filter(({ roomId }) => concerned(roomId)));
  }

  #askAll(rooms: readonly RoomEntry[]): void {
    const { players, owns } = this.#options;
    let asked = 0;
    for (const room of rooms) {
      if (!owns(room.roomId)) continue;
      for (const session of room.sessions.values()) {
        if (session.playerId === undefined || session.stage.state !== "connected") continue;
        // Spread evenly, whatever their number (golden section).
        const intervalMs = ANEW_MS * ((++asked * 0.618_034) % 1);
        this.#ask(room, session, this.#options.probeIntake.next(players.of(session.playerId)), intervalMs);
      }
    }
  }

  #measured(room: RoomEntry, session: RoomSession, { network, location, probes }: MeasuredBySession): void {
    const { players, probeIntake } = this.#options;
    if (session.playerId === undefined) return;
    const player = players.of(session.playerId);
    // Of another way it would have told the broker itself.
    const gatewayId = player.toGateways?.presentId;
    const way = player.chosenDirect ? "direct" : undefined;
    probeIntake.report({ player, network, location, probes, gatewayId, way });
    this.#ask(room, session, probeIntake.next(player), player.intervalMs);
  }

  #ask(room: RoomEntry, { sessionId }: RoomSession, next: string[], intervalMs: number): void {
    const { roomId, stage } = room;
    const host = this.#options.hosts.get(stage.hostId);
    if (host?.facts.measures === true)
      host.peer?.send({ type: "measure", roomId, sessionId, next, intervalMs });
  }
}
