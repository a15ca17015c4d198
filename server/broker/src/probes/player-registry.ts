/** What is known of a player beside its latencies: where it says it is, its network, its seats. */
import type { Location } from "@centroid/protocol";
import type { Emitter } from "../events/emitter.js";
import type { PlacementEngine } from "../placement/engine.js";
import type { RoomEvents } from "../rooms/room-events.js";
import type { RoomSession } from "../rooms/room-registry.js";
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
  /** Pause before its next report, ms; grows while nothing changes. */
  intervalMs: number;
  readonly sessions: Map<string, RoomSession>;
  /** Matchmaking requests in flight: a player without a seat yet is not forgotten. */
  joining: number;
}

export class PlayerRegistry {
  readonly #players = new Map<string, PlayerEntry>();
  readonly #engine: Pick<PlacementEngine, "upsertPlayer" | "removePlayer" | "hasMeasured">;
  readonly #standIns = new StandIns();

  /** @param engine forgets players that have neither a seat nor a request in flight */
  constructor(
    engine: Pick<PlacementEngine, "upsertPlayer" | "removePlayer" | "hasMeasured">,
    events: Emitter<RoomEvents>,
  ) {
    this.#engine = engine;
    events.on("session.joined", ({ session }) => {
      if (session.playerId !== undefined && !this.#players.has(session.playerId))
        engine.upsertPlayer(session.playerId, undefined);
      this.seated(session);
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

  /** It was measured from there, and stands for others from there until somebody else is; also after it has left. */
  measuredAt({ playerId }: PlayerEntry, place: string | undefined): void {
    if (place === undefined || !this.#engine.hasMeasured(playerId)) return;
    const former = this.#standIns.put(place, playerId);
    if (former !== undefined && !this.#players.has(former)) this.#engine.removePlayer(former);
  }

  /**
   * The player by whose round trips this one's are judged: itself once it has measured any or said where it is, else
   * whoever was measured at its place. Undefined if nothing is known.
   */
  judgedBy({ playerId, location }: PlayerEntry, place: string | undefined): string | undefined {
    if (location !== undefined || this.#engine.hasMeasured(playerId)) return playerId;
    return this.#standIns.at(place);
  }

  /** Forgets the player if nothing holds it. */
  release(player: PlayerEntry): void {
    if (player.sessions.size > 0 || player.joining > 0) return;
    const { playerId } = player;
    if (this.#players.delete(playerId) && !this.#standIns.has(playerId)) this.#engine.removePlayer(playerId);
  }
}
