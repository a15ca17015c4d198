/**
 * The few hosts that are looked at for a room: `r` of its players there, made when somebody asks, and bounds that say
 * without asking which of them cannot be among the best.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import { isUsable, measuredAt, type PlayerModel } from "../latency/player-model.js";
import { BOUND_SLACK_MS, type Bounds, type Search } from "./contenders.js";
import type { ObjectiveParameters } from "./objective.js";
import { playerScoreMs, scoreErrorAt, UNMEASURED } from "./player-score.js";
import { type PlayersPart, playersPart } from "./players-part.js";

/** There is room for so many hosts at once. */
const LEAST_ROOM = 16;
/** All of so few are looked at each time. */
const FEW_OPEN = 8;
/** Hosts so little beyond the bounds count as near: the others need no look before more has fallen. */
const NEAR_SHARE = 0.02;
const NEAR_MS = 0.5;

/** Which open hosts to look at as long as none of the others can have come within the bounds. */
interface Near {
  ks: number[];
  /** Least bound and least largest round trip of the others, ms, and what had fallen by then. */
  leastMs: number;
  maxMs: number;
  fallenMs: number;
  fallenInAllMs: number;
}

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
  /** Of all players. */
  #fits = 0;
  /** By open host; undefined if somebody has measured it since, or it has moved. */
  readonly #parts: (PlayersPart | undefined)[] = [];
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
  /** Of all players together. */
  #fallenInAllMs = 0;
  /** Undefined if all open hosts must be looked at. */
  #near: Near | undefined;

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
    this.#fits++;
    if (!Number.isFinite(fallMs)) {
      this.sumAnew();
      return;
    }
    const { meanShare, weights } = this.#search;
    this.#fallenMs += meanShare * (weights?.[i] ?? 1) * this.#perWeight * fallMs;
    this.#fallen[i] = (this.#fallen[i] ?? 0) + fallMs;
    this.#fallenInAllMs += fallMs;
  }

  /** A player has measured a host, which is opened if it was not. */
  remeasured(i: number, slot: number): void {
    const k = this.open(slot);
    this.#versions[k * this.#models.length + i] = 0;
    this.#changed(k);
  }

  /** Bounds of before tell nothing any more. */
  sumAnew(): void {
    this.#near = undefined;
    this.#leastMs.fill(Number.NEGATIVE_INFINITY);
  }

  /** The k-th has moved. */
  forget(k: number): void {
    const count = this.#models.length;
    this.#versions.fill(0, k * count, (k + 1) * count);
    this.#changed(k);
  }

  #changed(k: number): void {
    this.#leastMs[k] = Number.NEGATIVE_INFINITY;
    this.#parts[k] = undefined;
    const ks = this.#near?.ks;
    if (ks !== undefined && !ks.includes(k)) ks.push(k);
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
      this.#parts[to] = this.#parts[k];
      this.slots[to++] = slot;
    });
    this.slots.length = to;
    this.#near = undefined;
    this.#parts.length = to;
  }

  /** Somebody has scored this host for all players just now: nothing is scored twice. */
  put(slot: number, scores: Float64Array, errors: Float64Array, from: number): void {
    const count = this.#models.length;
    const at = this.open(slot) * count;
    for (let i = 0; i < count; i++) {
      this.#scores[at + i] = scores[from + i] ?? 0;
      this.#errors[at + i] = errors[from + i] ?? 0;
      this.#versions[at + i] = this.#current[i] ?? 0;
    }
  }

  /**
   * Offers every open host that may be within the bounds: its score must be known to tell more.
   * @param need the bounds, which may become tighter with every offer
   * @param seen slots that need not be offered
   */
  within(need: () => Bounds, seen: readonly number[], offer: (slot: number) => void): void {
    const isNear = this.#near !== undefined && this.#isFarBeyond(this.#near, need());
    if (isNear) this.#offer(this.#near?.ks ?? [], need, seen, offer);
    else {
      this.#offer(this.slots.keys(), need, seen, offer);
      this.#near = this.#nearTo(need());
    }
  }

  #offer(
    ks: Iterable<number>,
    need: () => Bounds,
    seen: readonly number[],
    offer: (slot: number) => void,
  ): void {
    let bounds = need();
    for (const k of ks) {
      const slot = this.slots[k] ?? -1;
      if (this.#isBeyond(k, bounds) || seen.includes(slot)) continue;
      this.#sum(k);
      if (this.#isBeyond(k, bounds)) continue;
      offer(slot);
      bounds = need();
    }
  }

  #isFarBeyond({ leastMs, maxMs, fallenMs, fallenInAllMs }: Near, { limitMs, capMs }: Bounds): boolean {
    const fallMs = this.#fallenInAllMs - fallenInAllMs;
    const meanFallMs = this.#fallenMs - fallenMs;
    return leastMs - meanFallMs - this.#search.maxShare * fallMs > limitMs && maxMs - fallMs > capMs;
  }

  #nearTo({ limitMs, capMs }: Bounds): Near | undefined {
    if (this.slots.length <= FEW_OPEN) return undefined;
    const wider = limitMs * (1 + NEAR_SHARE) + NEAR_MS;
    const near: Near = {
      ks: [],
      leastMs: Number.POSITIVE_INFINITY,
      maxMs: Number.POSITIVE_INFINITY,
      fallenMs: this.#fallenMs,
      fallenInAllMs: this.#fallenInAllMs,
    };
    for (let k = 0; k < this.slots.length; k++) {
      const maxMs = this.#maxMs(k);
      const leastMs = this.#boundMs(k, maxMs);
      if (leastMs > wider && maxMs > capMs * (1 + NEAR_SHARE)) {
        near.leastMs = Math.min(near.leastMs, leastMs);
        near.maxMs = Math.min(near.maxMs, maxMs);
      } else near.ks.push(k);
    }
    return near;
  }

  #isBeyond(k: number, { limitMs, capMs }: Bounds): boolean {
    const maxMs = this.#maxMs(k);
    return this.#boundMs(k, maxMs) > limitMs && maxMs > capMs;
  }

  /** Whoever was worst off there fares no better than its falls allow, and nobody else makes the largest smaller. */
  #maxMs(k: number): number {
    return (this.#maxima[k] ?? 0) - (this.#fallen[this.#worst[k] ?? 0] ?? 0);
  }

  #boundMs(k: number, maxMs: number): number {
    return (this.#leastMs[k] ?? 0) - this.#fallenMs + this.#search.maxShare * maxMs;
  }

  /**
   * What the k-th open host is for the players.
   * @param rtts and `errors` are scratch, a number per player
   */
  part(k: number, p: ObjectiveParameters, rtts: Float64Array, errors: Float64Array): PlayersPart {
    const known = this.#parts[k];
    if (known?.fits === this.#fits) return known;
    const count = this.#models.length;
    let measured = 0;
    let guessed = 0;
    for (let i = 0; i < count; i++) {
      const index = k * count + i;
      if (this.#versions[index] !== this.#current[i]) this.#score(k, i);
      rtts[i] = this.#scores[index] ?? 0;
      const errorMs = this.#errors[index] ?? 0;
      // What is not measured does not jitter; its doubt is in the score already.
      errors[i] = errorMs === UNMEASURED ? 0 : errorMs;
      const model = this.#models[i];
      if (errorMs !== UNMEASURED) measured++;
      else if (model === undefined || !isUsable(model)) guessed++;
    }
    const part = playersPart(rtts, errors, { measured, guessed, fits: this.#fits }, this.#search.weights, p);
    this.#parts[k] = part;
    return part;
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
    this.#errors[index] = scoreErrorAt(model, at);
    this.#versions[index] = this.#current[i] ?? 0;
  }

  #reserve(hosts: number): void {
    const size = hosts * this.#models.length;
    if (this.#scores.length < size) {
      const room = Math.max(LEAST_ROOM * this.#models.length, size + (size >> 2));
      this.#scores = grown(this.#scores, new Float64Array(room));
      this.#errors = grown(this.#errors, new Float64Array(room));
      this.#versions = grown(this.#versions, new Int32Array(room));
    }
    if (this.#leastMs.length < hosts) {
      const room = Math.max(LEAST_ROOM, hosts + (hosts >> 2));
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
