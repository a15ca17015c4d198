/**
 * Rules hosts out without scoring them: no host of a neighbourhood is better than its bound, and a host is dropped as
 * soon as the players looked at so far, with the bound for the rest, make it too dear. What is left may be among the
 * best.
 */
import { leastEstimateMs, roughEstimateMs } from "../latency/estimate-bound.js";
import type { LatencyMap } from "../latency/latency-map.js";
import { measuredAt, measuredCount, type PlayerModel, sampleAt, slotAt } from "../latency/player-model.js";
import type { HostNode, HostTree } from "./host-tree.js";
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

/** Hosts that may be among the best; and of those that were not known, the scores of all players there, host by host. */
export interface FoundHosts {
  known: readonly number[];
  slots: readonly number[];
  scores: Float64Array;
  errors: Float64Array;
}

/** Whether a host is within these bounds, of one whose scores are kept elsewhere; undefined of another. */
export type IsKnownWithin = (slot: number, bounds: Bounds) => boolean | undefined;

/** Scratch of one search after the other. */
export class Contenders {
  readonly #tree: HostTree;
  readonly #map: LatencyMap;
  #search: Search | undefined;
  #models: Models = [];
  /** Least measured score by node and player. */
  #measured = new Float64Array(0);
  /** Bounds by depth and player; the first row is of no neighbourhood at all. */
  #least: Float64Array[] = [];
  #found: number[] = [];
  #known: number[] = [];
  #isKnownWithin: IsKnownWithin = () => undefined;
  /** By host that was found, the one that is looked at last, and player. */
  #scores = new Float64Array(0);
  #errors = new Float64Array(0);
  #bounds: Bounds = { limitMs: 0, capMs: 0 };
  #perWeight = 0;

  constructor(map: LatencyMap, tree: HostTree) {
    this.#map = map;
    this.#tree = tree;
  }

  /** Hosts within the bounds; some may be beyond them. */
  find(search: Search, models: Models, bounds: Bounds, isKnownWithin: IsKnownWithin): FoundHosts {
    this.#begin(search, models);
    this.#bounds = bounds;
    this.#found = [];
    this.#known = [];
    this.#isKnownWithin = isKnownWithin;
    if (this.#tree.root !== undefined) this.#visit(this.#tree.root, 1, 0, 0);
    return { known: this.#known, slots: this.#found, scores: this.#scores, errors: this.#errors };
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
    const least = new Float64Array(models.length);
    const leaves = [...this.#tree.leaves()].map((node) => {
      const { sum, max } = this.#bound(node, least, roughEstimateMs);
      return { node, sum, max, boundMs: this.#boundMs(sum, max, search) };
    });
    leaves.sort((a, b) => a.boundMs - b.boundMs);
    for (const { node, ...rough } of leaves) {
      this.#bounds = need();
      if (this.#isOut(rough.sum, rough.max, search)) continue;
      const { sum, max } = this.#bound(node, least, leastEstimateMs);
      if (this.#isOut(sum, max, search)) continue;
      for (const slot of node.slots ?? []) {
        this.#bounds = need();
        if (this.#isWithin(slot, least, sum, search, 0)) yield { slot, scores, errors };
      }
    }
  }

  /**
   * Bounds of a neighbourhood: their sum by weight, and the largest.
   * @param into where they are put, by player
   */
  #bound(
    node: HostNode,
    into: Float64Array,
    estimateMs: typeof leastEstimateMs,
  ): { sum: number; max: number } {
    const search = this.#search;
    let sum = 0;
    let max = 0;
    for (let i = 0; search !== undefined && i < into.length; i++) {
      const ms = this.#leastMs(node, i, search, estimateMs);
      into[i] = ms;
      sum += (search.weights?.[i] ?? 1) * ms;
      if (ms > max) max = ms;
    }
    return { sum, max };
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
    this.#search = search;
    this.#models = models;
    const { weights } = search;
    const count = models.length;
    let weight = 0;
    for (let i = 0; i < count; i++) weight += weights?.[i] ?? 1;
    this.#perWeight = 1 / Math.max(weight, Number.MIN_VALUE);
    const size = this.#tree.size * count;
    if (this.#measured.length < size) this.#measured = new Float64Array(2 * size);
    const measured = this.#measured.fill(Number.POSITIVE_INFINITY, 0, size);
    for (let i = 0; i < count; i++) {
      const model = models[i];
      if (model === undefined) continue;
      for (let s = 0, end = measuredCount(model); s < end; s++) {
        const at = sampleAt(s);
        const scoreMs = measuredScoreMs(model, at, search);
        for (let node = this.#tree.leafOf(slotAt(model, at)); node !== undefined; node = node.parent) {
          const k = node.index * count + i;
          if (scoreMs < (measured[k] ?? 0)) measured[k] = scoreMs;
        }
      }
    }
    if ((this.#least[0]?.length ?? -1) !== count) this.#least = [new Float64Array(count)];
  }

  #boundMs(sum: number, max: number, { meanShare, maxShare }: Search): number {
    return meanShare * sum * this.#perWeight + maxShare * max - BOUND_SLACK_MS;
  }

  #leastMs(node: HostNode, i: number, search: Search, estimateMs: typeof leastEstimateMs): number {
    const models = this.#models;
    const estimated = leastScoreMs(this.#map, models[i], node, search, estimateMs);
    return Math.min(estimated, this.#measured[node.index * models.length + i] ?? 0);
  }

  #isOut(sum: number, max: number, search: Search): boolean {
    return this.#boundMs(sum, max, search) > this.#bounds.limitMs && max > this.#bounds.capMs;
  }

  /** @param sum and max of the bounds of the neighbourhood around this one */
  #visit(node: HostNode, depth: number, sum: number, max: number): void {
    const search = this.#search;
    const around = this.#least[depth - 1];
    if (search === undefined || around === undefined) return;
    const count = this.#models.length;
    let least = this.#least[depth];
    if (least === undefined) {
      least = new Float64Array(count);
      this.#least[depth] = least;
    }
    let innerSum = sum;
    let innerMax = max;
    for (let i = 0; i < count; i++) {
      const before = around[i] ?? 0;
      const now = Math.max(before, this.#leastMs(node, i, search, leastEstimateMs));
      least[i] = now;
      innerSum += (search.weights?.[i] ?? 1) * (now - before);
      if (now > innerMax) innerMax = now;
      if (this.#isOut(innerSum, innerMax, search)) return;
    }
    for (const child of node.children) this.#visit(child, depth + 1, innerSum, innerMax);
    for (const slot of node.slots ?? []) {
      const isKnownWithin = this.#isKnownWithin(slot, this.#bounds);
      if (isKnownWithin === true) this.#known.push(slot);
      if (isKnownWithin !== undefined) continue;
      const at = this.#found.length;
      this.#reserve(at + 1);
      if (this.#isWithin(slot, least, innerSum, search, at * count)) this.#found.push(slot);
    }
  }

  /** @param into where its scores are put; they are whole if it is within */
  #isWithin(slot: number, least: Float64Array, leastSum: number, search: Search, into: number): boolean {
    const { weights } = search;
    const map = this.#map;
    const models = this.#models;
    const scores = this.#scores;
    const errors = this.#errors;
    let sum = leastSum;
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
