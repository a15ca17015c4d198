/**
 * How far the estimates of a room's players have fallen, each and together: a bound of some time ago, less what has fallen
 * since, is a bound still. Counted from the beginning, for bounds that are of different times, and since all hosts were
 * looked at.
 */
import type { PlayerModel } from "../latency/player-model.js";
import type { Search } from "./contenders.js";
import { FALL_MARK, fallSinceMs, markFalls } from "./player-score.js";

/** Of a player: how far its scores have fallen in all, and since all hosts were looked at, ms. */
const IN_ALL_MS = 0;
const SINCE_LOOK_MS = 1;
/** At its last fit, and when all hosts were looked at. */
const MARK = 2;
const LOOK_MARK = MARK + FALL_MARK;
const NUMBERS = LOOK_MARK + FALL_MARK;

export class Falls {
  /** Falls are counted as far as they matter where a player's score is at most this now, ms; not at all below 0. */
  reachMs = -1;
  /** Of the mean's part of any J, in all. */
  meanMs = 0;
  /** Of the scores of all players together, in all. */
  inAllMs = 0;
  /** Of any J, and of any one player's scores, since all hosts were looked at. */
  sinceLookMs = 0;
  mostSinceLookMs = 0;
  readonly #search: Search;
  readonly #perWeight: number;
  /** By player, `NUMBERS` numbers. */
  readonly #players: Float64Array;

  constructor(search: Search, perWeight: number) {
    this.#search = search;
    this.#perWeight = perWeight;
    this.#players = new Float64Array(NUMBERS * search.playerIds.length);
  }

  /** Of the scores of one player, in all. */
  of(player: number): number {
    return this.#players[player * NUMBERS + IN_ALL_MS] ?? 0;
  }

  /** A player is as this model says: what was before is not counted. */
  begin(player: number, model: PlayerModel): void {
    const at = player * NUMBERS;
    markFalls(model, this.#players, at + MARK);
    this.#players.copyWithin(at + LOOK_MARK, at + MARK, at + MARK + FALL_MARK);
  }

  /**
   * A player was fit anew, its record unbroken since it was last.
   * @param lookReachMs what players have at most at hosts that were within the bounds when all were looked at; below 0 if
   * nobody looked
   * @returns false if nobody knows how far it fell
   */
  refitted(player: number, model: PlayerModel, lookReachMs: number): boolean {
    const search = this.#search;
    const players = this.#players;
    const at = player * NUMBERS;
    const fallMs =
      this.reachMs < 0
        ? Number.POSITIVE_INFINITY
        : fallSinceMs(model, players, at + MARK, this.reachMs, search);
    markFalls(model, players, at + MARK);
    if (!Number.isFinite(fallMs)) return false;
    players[at + IN_ALL_MS] = this.of(player) + fallMs;
    this.inAllMs += fallMs;
    this.meanMs += search.meanShare * (search.weights?.[player] ?? 1) * this.#perWeight * fallMs;
    if (lookReachMs < 0) return true;
    players[at + SINCE_LOOK_MS] = fallSinceMs(model, players, at + LOOK_MARK, lookReachMs, search);
    this.#sumSinceLook();
    return true;
  }

  /** All hosts were looked at. */
  looked(): void {
    const players = this.#players;
    for (let at = 0; at < players.length; at += NUMBERS) {
      players.copyWithin(at + LOOK_MARK, at + MARK, at + MARK + FALL_MARK);
      players[at + SINCE_LOOK_MS] = 0;
    }
    this.sinceLookMs = 0;
    this.mostSinceLookMs = 0;
  }

  #sumSinceLook(): void {
    const { meanShare, maxShare, weights } = this.#search;
    let sum = 0;
    let most = 0;
    for (let i = 0, at = SINCE_LOOK_MS; at < this.#players.length; i++, at += NUMBERS) {
      const fallMs = this.#players[at] ?? 0;
      sum += (weights?.[i] ?? 1) * fallMs;
      if (fallMs > most) most = fallMs;
    }
    this.sinceLookMs = meanShare * sum * this.#perWeight + maxShare * most;
    this.mostSinceLookMs = most;
  }
}
