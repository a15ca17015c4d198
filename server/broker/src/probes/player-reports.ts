/**
 * A player waits for what it is to measure next. Only the broker that decides about the player's room knows its players, so
 * another one asks that.
 */
import { CentroidError } from "@centroid/protocol";
import type { BrokerLinks } from "../cluster/broker-links.js";
import type { PlayerReportBody, ReportAnswer } from "../cluster/broker-messages.js";
import type { Cluster } from "../cluster/cluster.js";
import type { RoomRegistry } from "../rooms/room-registry.js";
import type { PlayerEntry, PlayerRegistry } from "./player-registry.js";
import type { ProbeIntake } from "./probe-intake.js";

export interface PlayerReportsOptions {
  rooms: Pick<RoomRegistry, "get">;
  players: PlayerRegistry;
  probeIntake: ProbeIntake;
  cluster: Pick<Cluster, "owns" | "ownerOf">;
  brokerLinks: Pick<BrokerLinks, "report">;
}

export class PlayerReports {
  readonly #options: PlayerReportsOptions;

  constructor(options: PlayerReportsOptions) {
    this.#options = options;
  }

  /**
   * @param roomId a room that it says it is in
   * @throws CentroidError SESSION_NOT_FOUND, HOST_LOST if the broker that decides cannot be reached
   */
  async report(body: PlayerReportBody, roomId: string | undefined): Promise<ReportAnswer> {
    const { players, cluster, brokerLinks } = this.#options;
    const player = players.get(body.playerId);
    if (
      roomId !== undefined &&
      !cluster.owns(roomId) &&
      (player === undefined || !players.isDecidedHere(player))
    ) {
      const owner = cluster.ownerOf(roomId);
      if (owner !== undefined) return brokerLinks.report(owner, body);
    }
    if (player === undefined)
      throw new CentroidError("SESSION_NOT_FOUND", "this player has no seat; join a room first");
    return this.#take(player, body);
  }

  /** Another broker was asked by a player of a room about which this one decides. */
  reportedToBroker(body: PlayerReportBody): ReportAnswer {
    const { players, probeIntake } = this.#options;
    return this.#take(players.get(body.playerId) ?? probeIntake.newcomer(body.playerId), body);
  }

  #take(player: PlayerEntry, { playerId: _, place, ...said }: PlayerReportBody): ReportAnswer {
    const { rooms, probeIntake } = this.#options;
    player.place = place ?? player.place;
    const rejected = probeIntake.report({ player, ...said });
    const hostOf = (roomId: string): string | undefined => rooms.get(roomId)?.stage.hostId;
    const gatewayId = said.gateways && probeIntake.betterGateway(player, hostOf);
    const { intervalMs } = player;
    return { next: probeIntake.next(player), intervalMs, gatewayId, rejected };
  }
}
