/**
 * Rules hosts out without scoring them: no host of a neighbourhood is better than its bound, and a host is dropped as
 * soon as the players looked at so far, with the bound for the rest, make it too dear. What is left may be among the
 * best.
 */
import { leastEstimateMs, roughEstimateMs } from "../latency/estimate-bound.js";
import type { LatencyMap } from "../latency/latency-map.js";
import { measuredAt, measuredCount, type PlayerModel, sampleAt, slotAt } from "../latency/player-model.js";
import type { Falls } from "./falls.js";
import type { NeighbourhoodBounds } from "./neighbourhood-bounds.js";
import type { HostNeighbourhood, Neighbourhoods } from "./neighbourhoods.js";
import type { OpenHosts } from "./open-hosts.js";
import {
  leastScoreMs,
  measuredScoreMs,
  playerScoreMs,
  type ScoreWeights,
  scoreErrorAt,
} from "./player-score.js";

/** Below this many ms, rounding of the bound could matter. */
export const BOUND_SLACK_MS = 1e-6;

/** What a search is for. */
export interface Search extends ScoreWeights {
  playerIds: readonly string[];
  objective: string;
  worstWeight: number;
  /** Of the set of hosts. */
  version: number;
  weights: Float64Array | undefined;
  /** Of J: of the players' mean and of the largest round trip, at least. */
  meanShare: number;
  maxShare: number;
}

/** Of the players of a search, in their order. */
type Models = readonly (PlayerModel | undefined)[];

/** A host is out if its J is above `limitMs` and its largest round trip above `capMs`. */
export interface Bounds {
  limitMs: number;
  capMs: number;
}

/** A host that may be among the best, with the score of every player there. */
export interface Contender {
  slot: number;
  /** By player; overwritten by the next. */
  scores: Float64Array;
  errors: Float64Array;
}

/** Hosts that may be among the best: those that were open, and the scores of all players at the others, host by host. */
export interface FoundHosts {
  known: readonly number[];
  slots: readonly number[];
  scores: Float64Array;
  errors: Float64Array;
}

/** What is known of a room from looks before. */
export interface KnownOfRoom {
  models: Models;
  open: OpenHosts;
  falls: Falls;
  neighbourhoods: NeighbourhoodBounds;
}

/** Scratch of one search after the other. */
export class Contenders {
  readonly #neighbourhoods: Neighbourhoods;
  readonly #map: LatencyMap;
  #models: Models = [];
  /** Least measured score by neighbourhood and player. */
  #measured = new Float64Array(0);
  /** Of the neighbourhood that is looked at: least score by player, their sum by weight, the largest, and whose it is. */
  #least = new Float64Array(0);
  #sum = 0;
  #max = 0;
  #worst = 0;
  /** By host that was found, the one that is looked at last, and player. */
  #scores = new Float64Array(0);
  #errors = new Float64Array(0);
  #bounds: Bounds = { limitMs: 0, capMs: 0 };
  #perWeight = 0;

  constructor(map: LatencyMap, neighbourhoods: Neighbourhoods) {
    this.#map = map;
    this.#neighbourhoods = neighbourhoods;
  }

  /**
   * Hosts within the bounds; some may be beyond them. What neighbourhoods are at best is taken down, but for hosts that are
   * left open.
   */
  find(search: Search, { models, open, falls, neighbourhoods }: KnownOfRoom, bounds: Bounds): FoundHosts {
    this.#begin(search, models);
    this.#bounds = bounds;
    const known: number[] = [];
    const slots: number[] = [];
    const { drawing, all } = this.#neighbourhoods;
    neighbourhoods.sync(drawing, all.length);
    const isPassed = new Uint8Array(all.length);
    for (const where of all) {
      if (neighbourhoods.isBeyond(where.index, bounds, search.maxShare, falls)) {
        isPassed[where.index] = 1;
        continue;
      }
      this.#bound(where, search, falls.reachMs, leastEstimateMs);
      const leastMs = search.meanShare * this.#sum * this.#perWeight - BOUND_SLACK_MS;
      neighbourhoods.put(where.index, leastMs, this.#max, this.#worst, falls);
      if (this.#isOut(this.#sum, this.#max, search)) continue;
      for (const slot of where.slots) {
        if (open.has(slot)) continue;
        this.#reserve(slots.length + 1);
        if (this.#isWithin(slot, search, slots.length * models.length)) slots.push(slot);
      }
    }
    for (const slot of open.slots) {
      if (open.isWithin(slot, bounds)) known.push(slot);
      else {
        // It will be closed, and what was known of its neighbourhood need not be true of it.
        const index = this.#neighbourhoods.of(slot)?.index;
        if (index !== undefined && isPassed[index] === 1) neighbourhoods.forget(index);
      }
    }
    return { known, slots, scores: this.#scores, errors: this.#errors };
  }

  /**
   * Hosts within the bounds, which may become tighter on the way, those of the likeliest neighbourhoods first; some may be
   * beyond them.
   */
  *promising(search: Search, models: Models, need: () => Bounds): IterableIterator<Contender> {
    this.#begin(search, models);
    this.#reserve(1);
    const scores = this.#scores;
    const errors = this.#errors;
    const likeliest = this.#neighbourhoods.all.map((where) => {
      this.#bound(where, search, Number.POSITIVE_INFINITY, roughEstimateMs);
      const [sum, max] = [this.#sum, this.#max];
      return { where, sum, max, boundMs: this.#boundMs(sum, max, search) };
    });
    likeliest.sort((a, b) => a.boundMs - b.boundMs);
    for (const { where, ...rough } of likeliest) {
      this.#bounds = need();
      if (this.#isOut(rough.sum, rough.max, search)) continue;
      this.#bound(where, search, Number.POSITIVE_INFINITY, leastEstimateMs);
      if (this.#isOut(this.#sum, this.#max, search)) continue;
      for (const slot of where.slots) {
        this.#bounds = need();
        if (this.#isWithin(slot, search, 0)) yield { slot, scores, errors };
      }
    }
  }

  /** @param reachMs what is more counts as this */
  #bound(
    where: HostNeighbourhood,
    search: Search,
    reachMs: number,
    estimateMs: typeof leastEstimateMs,
  ): void {
    const least = this.#least;
    const models = this.#models;
    const measured = this.#measured;
    const from = where.index * models.length;
    let sum = 0;
    let max = 0;
    let worst = 0;
    for (let i = 0; i < models.length; i++) {
      const estimatedMs = leastScoreMs(this.#map, models[i], where, search, estimateMs);
      const ms = Math.min(estimatedMs, measured[from + i] ?? 0, reachMs);
      least[i] = ms;
      sum += (search.weights?.[i] ?? 1) * ms;
      if (ms <= max) continue;
      max = ms;
      worst = i;
    }
    this.#sum = sum;
    this.#max = max;
    this.#worst = worst;
  }

  /** Room for the scores of so many hosts. */
  #reserve(hosts: number): void {
    const size = hosts * this.#models.length;
    if (this.#scores.length >= size) return;
    const scores = new Float64Array(2 * size);
    scores.set(this.#scores);
    this.#scores = scores;
    const errors = new Float64Array(2 * size);
    errors.set(this.#errors);
    this.#errors = errors;
  }

  #begin(search: Search, models: Models): void {
    this.#models = models;
    const { weights } = search;
    const count = models.length;
    let weight = 0;
    for (let i = 0; i < count; i++) weight += weights?.[i] ?? 1;
    this.#perWeight = 1 / Math.max(weight, Number.MIN_VALUE);
    const neighbourhoods = this.#neighbourhoods;
    const size = neighbourhoods.all.length * count;
    if (this.#measured.length < size) this.#measured = new Float64Array(2 * size);
    const measured = this.#measured.fill(Number.POSITIVE_INFINITY, 0, size);
    for (let i = 0; i < count; i++) {
      const model = models[i];
      if (model === undefined) continue;
      for (let s = 0, end = measuredCount(model); s < end; s++) {
        const at = sampleAt(s);
        const where = neighbourhoods.of(slotAt(model, at));
        if (where === undefined) continue;
        const k = where.index * count + i;
        measured[k] = Math.min(measured[k] ?? 0, measuredScoreMs(model, at, search));
      }
    }
    if (this.#least.length !== count) this.#least = new Float64Array(count);
  }

  #boundMs(sum: number, max: number, { meanShare, maxShare }: Search): number {
    return meanShare * sum * this.#perWeight + maxShare * max - BOUND_SLACK_MS;
  }

  #isOut(sum: number, max: number, search: Search): boolean {
    return this.#boundMs(sum, max, search) > this.#bounds.limitMs && max > this.#bounds.capMs;
  }

  /** @param into where its scores are put; they are whole if it is within */
  #isWithin(slot: number, search: Search, into: number): boolean {
    const { weights } = search;
    const least = this.#least;
    const map = this.#map;
    const models = this.#models;
    const scores = this.#scores;
    const errors = this.#errors;
    let sum = this.#sum;
    let max = 0;
    for (let i = 0; i < models.length; i++) {
      const model = models[i];
      const at = model === undefined ? -1 : measuredAt(model, slot);
      const scoreMs = playerScoreMs(map, model, slot, at, search);
      scores[into + i] = scoreMs;
      errors[into + i] = scoreErrorAt(model, at);
      sum += (weights?.[i] ?? 1) * (scoreMs - (least[i] ?? 0));
      if (scoreMs > max) max = scoreMs;
      if (this.#isOut(sum, max, search)) return false;
    }
    return true;
  }
}
