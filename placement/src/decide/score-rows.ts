/**
 * `r` of a player at every host, by slot, kept from one evaluation to the next and made anew only when something
 * it was made from has changed.
 */
import type { LatencyMap } from "../latency/latency-map.js";
import {
  fitOf,
  isUsable,
  measuredIn,
  measuredP50Ms,
  measuredTailMs,
  type PlayerModel,
  priorErrorMs,
  remeasuredOf,
  usualTailMs,
} from "../latency/player-model.js";

/** Rows kept: 8 kB each with 1,000 hosts. Those used longest ago are forgotten first, half at a time. */
const ROWS = 8_192;

interface Parameters {
  tailWeight: number;
  doubt: number;
}

export interface ScoreRow {
  /** r by slot, ms. */
  values: Float64Array;
  /** No value of a host lies below. */
  leastMs: number;
  /** Of this row; a row that was forgotten and made again has another. */
  serial: number;
  /** Since the row was first made no value has fallen by more than this, ms; only grows. */
  fallenMs: number;
  fit: number;
  /** Of the model: how often a measured host was measured again. */
  remeasured: number;
  moves: number;
}

export class ScoreRows {
  readonly #map: LatencyMap;
  #young = new Map<string, ScoreRow>();
  #old = new Map<string, ScoreRow>();
  #parameters: Parameters = { tailWeight: 0, doubt: 0 };
  #unknown: ScoreRow | undefined;
  #serial = 0;
  #before = new Float64Array(0);

  constructor(map: LatencyMap) {
    this.#map = map;
  }

  /** @param model of the player, undefined if it is not known */
  row(playerId: string, model: PlayerModel | undefined, p: Parameters): ScoreRow {
    const before = this.#parameters;
    if (before.tailWeight !== p.tailWeight || before.doubt !== p.doubt) {
      this.#young.clear();
      this.#old.clear();
      this.#parameters = { tailWeight: p.tailWeight, doubt: p.doubt };
    }
    if (model === undefined) return this.#ofNobody();
    let row = this.#young.get(playerId);
    if (row === undefined) {
      row = this.#old.get(playerId) ?? emptyRow(++this.#serial);
      this.#young.set(playerId, row);
      if (this.#young.size > ROWS / 2) {
        this.#old = this.#young;
        this.#young = new Map();
      }
    }
    const map = this.#map;
    const moved =
      row.fit !== fitOf(model) || row.values.length < map.hostEnd
        ? undefined
        : row.moves === map.moves.count
          ? NONE
          : map.moves.since(row.moves);
    if (moved === NONE && row.remeasured === remeasuredOf(model)) return row;
    if (moved === undefined) this.#fill(row, model);
    else {
      for (const slot of moved) this.#put(row, slot, this.#estimateMs(model, slot));
      if (row.remeasured !== remeasuredOf(model))
        for (const { at, slot } of measuredIn(model)) this.#put(row, slot, this.#measuredMs(model, at));
    }
    row.remeasured = remeasuredOf(model);
    row.moves = map.moves.count;
    return row;
  }

  #fill(row: ScoreRow, model: PlayerModel): void {
    const map = this.#map;
    const { tailWeight, doubt } = this.#parameters;
    const end = map.hostEnd;
    if (row.values.length < end) {
      row.values = new Float64Array(end);
      row.serial = ++this.#serial;
    }
    if (this.#before.length < end) this.#before = new Float64Array(row.values.length);
    const { values } = row;
    const before = this.#before;
    before.set(values);
    map.unmeasuredRow(model, values);
    const usable = isUsable(model);
    for (let slot = 0; slot < end; slot++) {
      const rttMs = values[slot] ?? 0;
      values[slot] = usable
        ? rttMs + tailWeight * usualTailMs(model, rttMs) + doubt * priorErrorMs(rttMs)
        : rttMs * (1 + doubt);
    }
    for (const { at, slot } of measuredIn(model)) values[slot] = this.#measuredMs(model, at);
    let leastMs = Number.POSITIVE_INFINITY;
    let fallMs = 0;
    for (let slot = 0; slot < end; slot++) {
      const value = values[slot] ?? 0;
      if (value < leastMs) leastMs = value;
      if ((before[slot] ?? 0) - value > fallMs) fallMs = (before[slot] ?? 0) - value;
    }
    row.leastMs = leastMs;
    row.fallenMs += fallMs;
    row.fit = fitOf(model);
  }

  #put(row: ScoreRow, slot: number, value: number): void {
    row.fallenMs += Math.max(0, (row.values[slot] ?? 0) - value);
    row.values[slot] = value;
    row.leastMs = Math.min(row.leastMs, value);
  }

  #measuredMs(model: PlayerModel, at: number): number {
    return measuredP50Ms(model, at) + this.#parameters.tailWeight * measuredTailMs(model, at);
  }

  /** Of a host that this player has not measured: the move of one that it has makes a new record. */
  #estimateMs(model: PlayerModel, slot: number): number {
    const { tailWeight, doubt } = this.#parameters;
    const rttMs = this.#map.unmeasuredMs(model, slot);
    return isUsable(model)
      ? rttMs + tailWeight * usualTailMs(model, rttMs) + doubt * priorErrorMs(rttMs)
      : rttMs * (1 + doubt);
  }

  #ofNobody(): ScoreRow {
    const guessMs = this.#map.estimate("", "").p50Ms;
    if (this.#unknown === undefined || this.#unknown.values.length < this.#map.hostEnd)
      this.#unknown = {
        ...emptyRow(0),
        values: new Float64Array(this.#map.hostEnd).fill(guessMs),
        leastMs: guessMs,
      };
    return this.#unknown;
  }
}

const emptyRow = (serial: number): ScoreRow => ({
  values: NOTHING,
  leastMs: 0,
  serial,
  fallenMs: 0,
  fit: -1,
  remeasured: 0,
  moves: 0,
});

const NOTHING = new Float64Array(0);
const NONE: readonly number[] = [];
