/**
 * Rooms that talk with each other: what players of one room say is heard in the other, over the way between their hosts.
 *
 * A room pays that way for as many players as the talk concerns, or the price of its partner coming along, whichever is
 * less: two rooms that both would rather be elsewhere go there, though for either alone the way back to the other would cost
 * more than it gains.
 */
import { measuredAt, type PlayerModel } from "../latency/player-model.js";
import type { HostTable } from "./host-table.js";
import { score } from "./objective.js";
import { playerScoreMs } from "./player-score.js";
import { weightsInOrder } from "./player-weights.js";
import { excluded } from "./rank.js";
import type { PlacementParameters, RoomView } from "./types.js";

/** A room that this one talks with. */
export interface RoomTie {
  /** As it runs now. */
  room: RoomView;
  /** As many players, of both rooms together, as wait for what comes over the way between them. */
  players: number;
  /** Whom else it talks with: they hold it where it is. */
  others: readonly { hostId: string; players: number }[];
}

/** More partners are not looked at, those of the least talk first. */
const MOST_TIES = 4;

interface Partner {
  tie: RoomTie;
  slot: number;
  models: readonly (PlayerModel | undefined)[];
  scores: Float64Array;
  weights: Float64Array | undefined;
  /** What its own players, and its way to others, cost where it is now, ms.player. */
  costMs: number;
  others: readonly { slot: number; players: number }[];
}

/** What ties add to J of one room, for one search. */
export class TieCosts {
  readonly #hosts: HostTable;
  readonly #parameters: PlacementParameters;
  readonly #room: RoomView;
  readonly #partners: Partner[];
  readonly #players: number;
  /** J may be below that of the players alone by so much, where partners would gain, too. */
  readonly mostGainMs: number;

  constructor(hosts: HostTable, room: RoomView, parameters: PlacementParameters) {
    this.#hosts = hosts;
    this.#parameters = parameters;
    this.#room = room;
    this.#players = Math.max(1, room.playerIds.length);
    const { map } = hosts;
    const known = (room.ties ?? []).filter(
      (tie) => tie.players > 0 && map.hostSlot(tie.room.hostId ?? "") >= 0,
    );
    known.sort((a, b) => b.players - a.players || (a.room.roomId < b.room.roomId ? -1 : 1));
    this.#partners = known.slice(0, MOST_TIES).map((tie): Partner => {
      const partner = {
        tie,
        slot: map.hostSlot(tie.room.hostId ?? ""),
        models: tie.room.playerIds.map((playerId) => map.model(playerId)),
        scores: new Float64Array(tie.room.playerIds.length),
        weights: weightsInOrder(tie.room),
        costMs: 0,
        others: tie.others.map(({ hostId, players }) => ({ slot: map.hostSlot(hostId), players })),
      };
      partner.costMs = this.#costMs(partner, partner.slot);
      return partner;
    });
    this.mostGainMs = this.#partners.reduce((sum, { costMs }) => sum + costMs, 0) / this.#players;
  }

  /** Per player of the room, ms. */
  tieMs(slot: number): number {
    let sum = 0;
    for (const partner of this.#partners) {
      const apartMs = partner.tie.players * this.#hosts.map.betweenHostsMs(slot, partner.slot);
      const together = this.#mayCome(partner, slot)
        ? this.#costMs(partner, slot) - partner.costMs
        : Number.POSITIVE_INFINITY;
      sum += Math.min(apartMs, together);
    }
    return sum / this.#players;
  }

  /** A partner's players and its way to others, if it were there, ms.player. */
  #costMs({ models, scores, weights, others, tie }: Partner, slot: number): number {
    const { map } = this.#hosts;
    const p = this.#parameters;
    models.forEach((model, i) => {
      scores[i] = playerScoreMs(map, model, slot, model === undefined ? -1 : measuredAt(model, slot), p);
    });
    let ms = tie.room.playerIds.length * score(scores, weights, 0, p).scoreMs;
    for (const other of others)
      if (other.slot >= 0) ms += other.players * map.betweenHostsMs(slot, other.slot);
    return ms;
  }

  #mayCome({ tie, slot: now }: Partner, slot: number): boolean {
    if (slot === now) return true;
    const host = this.#hosts.at(slot);
    if (host === undefined || excluded(tie.room, host) !== undefined) return false;
    // One slot is for this room.
    return host.hostId === this.#room.hostId || host.capacityRooms - host.rooms >= 2;
  }
}
