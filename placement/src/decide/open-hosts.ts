/**
 * The few hosts that are looked at for a room: `r` of its players there, made when somebody asks, and bounds that say
 * without asking which of them cannot be among the best.
 */
import { grown } from "../latency/grown.js";
import type { LatencyMap } from "../latency/latency-map.js";
import { isUsable, measuredAt, type PlayerModel } from "../latency/player-model.js";
import type { Bounds, Search } from "./contenders.js";
import { ExactRows } from "./exact-rows.js";
import type { Falls } from "./falls.js";
import { NearHosts } from "./near-hosts.js";
import type { ObjectiveParameters } from "./objective.js";
import { OpenBounds } from "./open-bounds.js";
import { playerScoreMs, scoreErrorAt, UNMEASURED } from "./player-score.js";
import { type PlayersPart, playersPart } from "./players-part.js";
import { RoundedScores } from "./rounded-scores.js";

/** There is room for so many hosts at least. */
const FIRST_HOSTS = 16;

/** Of an open host: how many fits its scores are of, and its row among the exact ones or -1. */
const STATE = 2;
const FITS = 0;
const ROW = 1;

export class OpenHosts {
  readonly #map: LatencyMap;
  readonly #search: Search;
  /** By player, up to date; undefined if the map does not know it. */
  readonly #models: readonly (PlayerModel | undefined)[];
  size = 0;
  /** By open host: its slot, `STATE` numbers. */
  #slots = new Int32Array(0);
  #states = new Int32Array(0);
  readonly #bounds: OpenBounds;
  readonly #scores: RoundedScores;
  readonly #rows: ExactRows;
  readonly #falls: Falls;
  /** Of all players. */
  #fits = 0;
  /** By player: how many there were with its last, as scores of an older one are not up to date. */
  readonly #lastFits: Float64Array;
  /** Undefined if all open hosts must be looked at. */
  #near: NearHosts | undefined;

  /** @param models kept up to date by the caller, who says so by {@link refitted} and {@link remeasured} */
  constructor(
    map: LatencyMap,
    search: Search,
    models: readonly (PlayerModel | undefined)[],
    perWeight: number,
    falls: Falls,
  ) {
    this.#map = map;
    this.#search = search;
    this.#models = models;
    this.#bounds = new OpenBounds(search, perWeight, falls);
    this.#scores = new RoundedScores(models.length);
    this.#rows = new ExactRows(models.length);
    this.#falls = falls;
    this.#lastFits = new Float64Array(models.length);
  }

  /** Opens a host, if it is not. */
  open(slot: number): number {
    const known = this.#kOf(slot);
    if (known >= 0) return known;
    const k = this.size++;
    if (k >= this.#slots.length) this.#resize();
    this.#slots[k] = slot;
    this.#states[k * STATE + ROW] = -1;
    this.forget(k);
    return k;
  }

  /** Estimates of a player are new: how far they fell counts already, or {@link sumAnew} follows. */
  refitted(i: number): void {
    this.#lastFits[i] = ++this.#fits;
  }

  /** A player has measured a host, which is opened if it was not. */
  remeasured(i: number, slot: number): void {
    const k = this.open(slot);
    this.#scores.forget(k, i);
    this.#changed(k);
  }

  /** Bounds of before tell nothing any more. */
  sumAnew(): void {
    this.#near = undefined;
    this.#bounds.forgetAll();
  }

  /** The k-th has moved. */
  forget(k: number): void {
    this.#scores.forgetAll(k);
    this.#changed(k);
  }

  #changed(k: number): void {
    this.#bounds.forget(k);
    this.#near?.add(k);
  }

  /** Closes all but these. */
  keep(kept: ReadonlySet<number>): void {
    const before = this.size;
    const renumbered = new Int32Array(before).fill(-1);
    this.size = 0;
    for (let k = 0; k < before; k++) {
      const slot = this.#slots[k] ?? -1;
      if (!kept.has(slot)) continue;
      const to = this.size++;
      renumbered[k] = to;
      this.#slots[to] = slot;
      this.#states.copyWithin(to * STATE, k * STATE, (k + 1) * STATE);
      this.#bounds.renumber(k, to);
      this.#scores.renumber(k, to);
    }
    this.#rows
      .keep((k) => renumbered[k] ?? -1)
      .forEach((k, row) => {
        this.#states[k * STATE + ROW] = row;
      });
    this.#near = undefined;
    if (2 * roomFor(this.size) <= this.#slots.length) this.#resize();
  }

  /**
   * Somebody has scored this host for all players just now: nothing is scored twice.
   * @param isCandidate {@link part} will be asked for
   */
  put(
    slot: number,
    { scores, errors }: { scores: Float64Array; errors: Float64Array },
    from: number,
    isCandidate: boolean,
  ): void {
    const k = this.open(slot);
    const row = isCandidate ? this.#rowOf(k) : (this.#states[k * STATE + ROW] ?? -1);
    for (let i = 0; i < this.#models.length; i++)
      this.#put(k, row, i, scores[from + i] ?? 0, errors[from + i] ?? 0);
    this.#states[k * STATE + FITS] = this.#fits;
  }

  /**
   * Offers every open host that may be within the bounds: its score must be known to tell more.
   * @param need the bounds, which may become tighter with every offer
   * @param seen slots that need not be offered
   */
  within(need: () => Bounds, seen: readonly number[], offer: (slot: number) => void): void {
    let bounds = need();
    const near = this.#near;
    const isNear = near?.areAll(this.#falls, this.#search.maxShare, bounds) === true;
    const count = isNear ? near.ks.length : this.size;
    for (let n = 0; n < count; n++) {
      const k = isNear ? (near.ks[n] ?? 0) : n;
      const slot = this.#slots[k] ?? -1;
      if (this.#bounds.isBeyond(k, bounds) || seen.includes(slot)) continue;
      this.#update(k);
      if (this.#bounds.isBeyond(k, bounds)) continue;
      offer(slot);
      bounds = need();
    }
    if (!isNear) this.#near = NearHosts.of(this.size, (k) => this.#bounds.of(k), bounds, this.#falls);
  }

  /** Those that are open. */
  get slots(): Int32Array {
    return this.#slots.subarray(0, this.size);
  }

  has(slot: number): boolean {
    return this.#kOf(slot) >= 0;
  }

  /** Whether an open host may be within the bounds. */
  isWithin(slot: number, bounds: Bounds): boolean {
    const k = this.#kOf(slot);
    if (!this.#bounds.isBeyond(k, bounds)) this.#update(k);
    return !this.#bounds.isBeyond(k, bounds);
  }

  #kOf(slot: number): number {
    const k = this.#slots.indexOf(slot);
    return k < this.size ? k : -1;
  }

  /** What the k-th open host is for the players; `rtts` and `errors` are scratch, a number per player. */
  part(k: number, p: ObjectiveParameters, rtts: Float64Array, errors: Float64Array): PlayersPart {
    const row = this.#rowOf(k);
    this.#update(k);
    const known = this.#rows.part(row);
    if (known !== undefined) return known;
    let measured = 0;
    let guessed = 0;
    for (let i = 0; i < this.#models.length; i++) {
      rtts[i] = this.#rows.scoreMs(row, i);
      const errorMs = this.#rows.errorMs(row, i);
      // What is not measured does not jitter; its doubt is in the score already.
      errors[i] = errorMs === UNMEASURED ? 0 : errorMs;
      const model = this.#models[i];
      if (errorMs !== UNMEASURED) measured++;
      else if (model === undefined || !isUsable(model)) guessed++;
    }
    const part = playersPart(rtts, errors, { measured, guessed }, this.#search.weights, p);
    this.#rows.sum(row, part);
    return part;
  }

  #rowOf(k: number): number {
    const at = k * STATE;
    const known = this.#states[at + ROW] ?? -1;
    if (known >= 0) return known;
    const { row, fromHost } = this.#rows.take(k);
    if (fromHost >= 0) this.#states[fromHost * STATE + ROW] = -1;
    this.#states[at + ROW] = row;
    this.forget(k);
    return row;
  }

  /** Scores and bounds. */
  #update(k: number): void {
    const at = k * STATE;
    const fits = this.#states[at + FITS] ?? 0;
    if (fits === this.#fits && this.#bounds.isKnown(k)) return;
    const { weights } = this.#search;
    const scores = this.#scores;
    const lastFits = this.#lastFits;
    // Falls are counted no farther.
    const most = this.#falls.reachMs < 0 ? Number.POSITIVE_INFINITY : this.#falls.reachMs;
    let sum = 0;
    let max = 0;
    let worst = 0;
    for (let i = 0; i < this.#models.length; i++) {
      if (!scores.isKnown(k, i) || (lastFits[i] ?? 0) > fits) this.#score(k, i);
      const r = Math.min(most, scores.leastMs(k, i));
      sum += weights === undefined ? r : (weights[i] ?? 1) * r;
      if (r <= max) continue;
      max = r;
      worst = i;
    }
    this.#states[at + FITS] = this.#fits;
    this.#bounds.put(k, sum, max, worst);
  }

  #score(k: number, i: number): void {
    const slot = this.#slots[k] ?? -1;
    const model = this.#models[i];
    const at = model === undefined ? -1 : measuredAt(model, slot);
    const scoreMs = playerScoreMs(this.#map, model, slot, at, this.#search);
    this.#put(k, this.#states[k * STATE + ROW] ?? -1, i, scoreMs, scoreErrorAt(model, at));
  }

  #put(k: number, row: number, i: number, scoreMs: number, errorMs: number): void {
    this.#scores.put(k, i, scoreMs);
    if (row >= 0) this.#rows.put(row, i, scoreMs, errorMs);
  }

  #resize(): void {
    const room = roomFor(this.size);
    this.#slots = grown(this.#slots.subarray(0, room), new Int32Array(room).fill(-1));
    this.#states = grown(this.#states.subarray(0, room * STATE), new Int32Array(room * STATE));
    this.#bounds.resize(room);
    this.#scores.resize(room);
  }
}

/** Some more than are open. */
const roomFor = (hosts: number): number => Math.max(FIRST_HOSTS, hosts + (hosts >> 2));
