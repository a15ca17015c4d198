/**
 * What is known of a player beside its latencies: where it says it is, its network, its seats. Its latencies are kept by the
 * broker that decides about a room in which it sits, and by one that it is just joining by.
 */
import type { Location } from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomSession } from "../rooms/room-registry.js";
import { standInFor } from "./gateway-legs.js";
import type { ToGateways } from "./player-ways.js";
import { StandIns } from "./stand-ins.js";

export interface PlayerEntry {
  readonly playerId: string;
  location: Location | undefined;
  network: string | undefined;
  /** If its sockets come by a gateway and it has measured those. */
  toGateways: ToGateways | undefined;
  /** It came by a gateway, and found its room's host no farther without. */
  chosenDirect: boolean;
  /** The network that it came from; see `neighbourhoodOf`. */
  place: string | undefined;
  /** Its latencies are kept here. */
  measured: boolean;
  /** Pause before its next report, ms; grows while nothing changes. */
  intervalMs: number;
  readonly sessions: Map<string, RoomSession>;
  /** Matchmaking requests in flight: a player without a seat yet is not forgotten. */
  joining: number;
}

export class PlayerRegistry {
  readonly #players = new Map<string, PlayerEntry>();
  readonly #engine: Pick<PlacementEngine, "upsertPlayer" | "removePlayer" | "hasMeasured">;
  readonly #owns: (roomId: string) => boolean;
  readonly #standIns = new StandIns();

  /**
   * @param engine forgets players of whom nothing here is decided
   * @param owns true if this broker decides about the room
   */
  constructor(
    engine: Pick<PlacementEngine, "upsertPlayer" | "removePlayer" | "hasMeasured">,
    events: Emitter<RoomEvents>,
    owns: (roomId: string) => boolean,
  ) {
    this.#engine = engine;
    this.#owns = owns;
    events.on("session.joined", ({ session }) => {
      this.seated(session);
      const player = session.playerId === undefined ? undefined : this.#players.get(session.playerId);
      if (player?.measured === false && owns(session.roomId)) this.measures(player);
    });
    events.on("session.left", ({ session }) => this.#unseated(session));
  }

  get size(): number {
    return this.#players.size;
  }

  get(playerId: string): PlayerEntry | undefined {
    return this.#players.get(playerId);
  }

  /** Finds or adds. */
  of(playerId: string): PlayerEntry {
    let player = this.#players.get(playerId);
    if (player === undefined) {
      player = {
        playerId,
        location: undefined,
        network: undefined,
        toGateways: undefined,
        chosenDirect: false,
        place: undefined,
        measured: false,
        intervalMs: 0,
        sessions: new Map(),
        joining: 0,
      };
      this.#players.set(playerId, player);
    }
    return player;
  }

  seated(session: RoomSession): void {
    if (session.playerId !== undefined) this.of(session.playerId).sessions.set(session.sessionId, session);
  }

  #unseated(session: RoomSession): void {
    if (session.playerId === undefined) return;
    const player = this.#players.get(session.playerId);
    if (player === undefined) return;
    player.sessions.delete(session.sessionId);
    this.release(player);
  }

  /** Its latencies are kept from now on, with where it says it is. */
  measures(player: PlayerEntry): void {
    player.measured = true;
    this.#engine.upsertPlayer(player.playerId, player.location);
  }

  /** It was measured where it is, and stands for others from there until somebody else is; also after it has left. */
  standsIn({ playerId, place }: PlayerEntry): void {
    if (place === undefined || !this.#engine.hasMeasured(playerId)) return;
    const former = this.#standIns.put(place, playerId);
    if (former !== undefined && this.#players.get(former)?.measured !== true)
      this.#engine.removePlayer(former);
  }

  /**
   * By whose round trips this player's are judged: its own once it has measured any, else those of whoever was measured at
   * its place, else those of its gateway, through which all that it says goes, whatever hosts are near the player.
   * Undefined if nothing is known of where it is either.
   * @param gatewayId by which it comes
   */
  judgedBy({ playerId, location, place }: PlayerEntry, gatewayId: string | undefined): string | undefined {
    if (this.#engine.hasMeasured(playerId)) return playerId;
    const neighbour = location === undefined ? this.#standIns.at(place) : undefined;
    if (neighbour !== undefined) return neighbour;
    const gateway = gatewayId === undefined ? undefined : standInFor(gatewayId);
    if (gateway !== undefined && this.#engine.hasMeasured(gateway)) return gateway;
    return location === undefined ? undefined : playerId;
  }

  /** Forgets what nothing holds: the player's latencies, and the player. */
  release(player: PlayerEntry): void {
    const { playerId, sessions, joining } = player;
    if (joining > 0) return;
    if (player.measured && !this.isDecidedHere(player)) {
      player.measured = false;
      if (!this.#standIns.has(playerId)) this.#engine.removePlayer(playerId);
    }
    if (sessions.size === 0) this.#players.delete(playerId);
  }

  /** Rooms were dealt out anew among the brokers. */
  dealtAnew(): void {
    for (const player of [...this.#players.values()]) {
      if (!this.isDecidedHere(player)) this.release(player);
      else if (!player.measured) this.measures(player);
    }
  }

  /** It sits in a room about which this broker decides. */
  isDecidedHere({ sessions }: PlayerEntry): boolean {
    for (const { roomId } of sessions.values()) if (this.#owns(roomId)) return true;
    return false;
  }
}
