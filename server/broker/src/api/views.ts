/** Rooms and players as the API and the event stream show them. */
import type { Player, Room } from "@centroid/protocol";
import { getCenter } from "geolib";
import type { PlacementEngine } from "../placement/engine.js";
import type { PlayerRegistry } from "../probes/player-registry.js";
import type { RoomEntry, RoomSession } from "../rooms/room-registry.js";

export class Views {
  readonly #engine: PlacementEngine;
  readonly #players: PlayerRegistry;

  constructor(engine: PlacementEngine, players: PlayerRegistry) {
    this.#engine = engine;
    this.#players = players;
  }

  room(room: RoomEntry): Room {
    const { roomId, name, carrier, stage, epoch, players, createdAtMs, migrations } = room;
    const { maxPlayers, locked } = room.listing;
    const rttsMs: number[] = [];
    const places: { latitude: number; longitude: number }[] = [];
    for (const { playerId, stage: seat } of room.sessions.values()) {
      if (playerId === undefined || seat.state !== "connected") continue;
      rttsMs.push(this.#engine.latency(playerId, stage.hostId).p50Ms);
      const location = this.#players.get(playerId)?.location;
      if (location !== undefined) places.push(location);
    }
    const centre = places.length === 0 ? false : getCenter(places);
    return {
      roomId,
      name,
      hostId: stage.hostId,
      carrier,
      state: stage.state,
      epoch,
      players,
      ...(maxPlayers !== undefined && { maxPlayers }),
      locked,
      createdAtMs,
      migrations,
      ...(room.standby !== undefined && { standbyHostId: room.standby.hostId }),
      ...(room.activity !== undefined && { activity: room.activity }),
      ...(rttsMs.length > 0 && { meanRttMs: rttsMs.reduce((sum, rtt) => sum + rtt, 0) / rttsMs.length }),
      ...(centre !== false && { centroid: { latitude: centre.latitude, longitude: centre.longitude } }),
    };
  }

  /** Undefined for a session of which only the host knows whose it is. */
  player(room: RoomEntry, { playerId, sessionId, network, gatewayId }: RoomSession): Player | undefined {
    if (playerId === undefined) return undefined;
    const location = this.#players.get(playerId)?.location;
    return {
      playerId,
      roomId: room.roomId,
      sessionId,
      ...(network !== undefined && { network }),
      ...(location !== undefined && { location }),
      ...(gatewayId !== undefined && { gatewayId }),
      latency: this.#engine.latency(playerId, room.stage.hostId),
    };
  }

  players(room: RoomEntry): Player[] {
    return [...room.sessions.values()].flatMap((session) =>
      session.stage.state === "connected" ? (this.player(room, session) ?? []) : [],
    );
  }
}
