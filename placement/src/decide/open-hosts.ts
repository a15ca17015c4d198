/**
 * The few hosts that are looked at for a room: `r` of its players there, made when somebody asks, and bounds that say
 * without asking which of them cannot be among the best.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { measuredAt, measuredErrorMs, type PlayerModel } from "../latency/player-model.js";
import { BOUND_SLACK_MS, type Search } from "./contenders.js";
import { playerScoreMs } from "./player-score.js";

/** Error of a round trip that was not measured. */
export const UNMEASURED = -1;

export class OpenHosts {
  readonly #map: LatencyMap;
  readonly #search: Search;
  /** By player, up to date; undefined if the map does not know it. */
  readonly #models: readonly (PlayerModel | undefined)[];
  readonly #perWeight: number;
  readonly slots: number[] = [];
  /** By open host, then player: `r` and its standard error or `UNMEASURED`, ms, and the version they are of. */
  #scores = new Float64Array(0);
  #errors = new Float64Array(0);
  #versions = new Int32Array(0);
  /** By player: grows with every fit, as scores of an older one are not up to date. */
  readonly #current: Int32Array;
  /**
   * By open host, as it was last summed up: the mean's part of J, the largest round trip and whose that is. What had
   * fallen by then is added, to be taken off with all that has fallen since. Minus infinity if it must be summed up anew.
   */
  #leastMs = new Float64Array(0);
  #maxima = new Float64Array(0);
  #worst = new Int32Array(0);
  /** By how much the mean's part of any J, and any score of each player, have fallen in all. */
  #fallenMs = 0;
  readonly #fallen: Float64Array;

  /** @param models kept up to date by the caller, who says so by {@link refitted} and {@link remeasured} */
  constructor(
    map: LatencyMap,
    search: Search,
    models: readonly (PlayerModel | undefined)[],
    perWeight: number,
  ) {
    this.#map = map;
    this.#search = search;
    this.#models = models;
    this.#perWeight = perWeight;
    this.#current = new Int32Array(models.length).fill(1);
    this.#fallen = new Float64Array(models.length);
  }

  /** Opens a host, if it is not. */
  open(slot: number): number {
    const known = this.slots.indexOf(slot);
    if (known >= 0) return known;
    const k = this.slots.push(slot) - 1;
    this.#reserve(this.slots.length);
    this.forget(k);
    return k;
  }

  /** Estimates of a player are new, and fell by no more than this where it matters; infinite if nobody knows. */
  refitted(i: number, fallMs: number): void {
    this.#current[i] = (this.#current[i] ?? 0) + 1;
    if (!Number.isFinite(fallMs)) {
      this.sumAnew();
      return;
    }
    const { meanShare, weights } = this.#search;
    this.#fallenMs += meanShare * (weights?.[i] ?? 1) * this.#perWeight * fallMs;
    this.#fallen[i] = (this.#fallen[i] ?? 0) + fallMs;
  }

  /** A player has measured a host, which is opened if it was not. */
  remeasured(i: number, slot: number): void {
    const k = this.open(slot);
    this.#versions[k * this.#models.length + i] = 0;
    this.#leastMs[k] = Number.NEGATIVE_INFINITY;
  }

  /** Bounds of before tell nothing any more. */
  sumAnew(): void {
    this.#leastMs.fill(Number.NEGATIVE_INFINITY);
  }

  /** The k-th has moved. */
  forget(k: number): void {
    const count = this.#models.length;
    this.#versions.fill(0, k * count, (k + 1) * count);
    this.#leastMs[k] = Number.NEGATIVE_INFINITY;
  }

  /** Closes all but these. */
  keep(kept: ReadonlySet<number>): void {
    const count = this.#models.length;
    let to = 0;
    this.slots.forEach((slot, k) => {
      if (!kept.has(slot)) return;
      this.#scores.copyWithin(to * count, k * count, (k + 1) * count);
      this.#errors.copyWithin(to * count, k * count, (k + 1) * count);
      this.#versions.copyWithin(to * count, k * count, (k + 1) * count);
      this.slots[to++] = slot;
    });
    this.slots.length = to;
  }

  /**
   * The next open host, from the k-th on, that may be within the bounds: its score must be known to tell more.
   * @returns how many are open if there is none
   */
  nextWithin(from: number, limitMs: number, capMs: number): number {
    const end = this.slots.length;
    for (let k = from; k < end; k++) {
      if (this.#isBeyond(k, limitMs, capMs)) continue;
      this.#sum(k);
      if (!this.#isBeyond(k, limitMs, capMs)) return k;
    }
    return end;
  }

  #isBeyond(k: number, limitMs: number, capMs: number): boolean {
    // Whoever was worst off there fares no better than its falls allow, and nobody else makes the largest smaller.
    const maxMs = (this.#maxima[k] ?? 0) - (this.#fallen[this.#worst[k] ?? 0] ?? 0);
    const leastMs = (this.#leastMs[k] ?? 0) - this.#fallenMs + this.#search.maxShare * maxMs;
    return leastMs > limitMs && maxMs > capMs;
  }

  /** Copies `r` of every player at the k-th open host, and its standard error or `UNMEASURED`. */
  read(k: number, scores: Float64Array, errors: Float64Array): void {
    const count = this.#models.length;
    const versions = this.#versions;
    const current = this.#current;
    const known = this.#scores;
    const knownErrors = this.#errors;
    for (let i = 0; i < count; i++) {
      const index = k * count + i;
      if (versions[index] !== current[i]) this.#score(k, i);
      scores[i] = known[index] ?? 0;
      errors[i] = knownErrors[index] ?? 0;
    }
  }

  #sum(k: number): void {
    const { meanShare, weights } = this.#search;
    const count = this.#models.length;
    const versions = this.#versions;
    const current = this.#current;
    const scores = this.#scores;
    let sum = 0;
    let max = 0;
    let worst = 0;
    for (let i = 0; i < count; i++) {
      const index = k * count + i;
      if (versions[index] !== current[i]) this.#score(k, i);
      const r = scores[index] ?? 0;
      sum += weights === undefined ? r : (weights[i] ?? 1) * r;
      if (r <= max) continue;
      max = r;
      worst = i;
    }
    this.#leastMs[k] = meanShare * sum * this.#perWeight - BOUND_SLACK_MS + this.#fallenMs;
    this.#maxima[k] = max + (this.#fallen[worst] ?? 0);
    this.#worst[k] = worst;
  }

  #score(k: number, i: number): void {
    const index = k * this.#models.length + i;
    const slot = this.slots[k] ?? -1;
    const model = this.#models[i];
    const at = model === undefined ? -1 : measuredAt(model, slot);
    this.#scores[index] = playerScoreMs(this.#map, model, slot, at, this.#search);
    this.#errors[index] = model === undefined || at < 0 ? UNMEASURED : measuredErrorMs(model, at);
    this.#versions[index] = this.#current[i] ?? 0;
  }

  #reserve(hosts: number): void {
    const size = hosts * this.#models.length;
    if (this.#scores.length < size) {
      const room = size + (size >> 2);
      this.#scores = grown(this.#scores, new Float64Array(room));
      this.#errors = grown(this.#errors, new Float64Array(room));
      this.#versions = grown(this.#versions, new Int32Array(room));
    }
    if (this.#leastMs.length < hosts) {
      const room = hosts + (hosts >> 2) + 1;
      this.#leastMs = grown(this.#leastMs, new Float64Array(room));
      this.#maxima = grown(this.#maxima, new Float64Array(room));
      this.#worst = grown(this.#worst, new Int32Array(room));
    }
  }
}

function grown<T extends Float64Array | Int32Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
