/**
 * Rules hosts out by sums of rows alone: what is left may be among the best, and only that is scored. Rows of a few
 * players are added at a time, the rest of them granted their nearest host, so that far hosts are dropped early.
 */
import { leastShares, worstShare } from "./objective.js";
import type { ScoreRow } from "./score-rows.js";
import { type SearchMemo, withMargin } from "./search-memo.js";
import type { PlacementParameters } from "./types.js";

/** Players after whom far hosts are dropped. */
const BLOCK = 4;
/** Below this many ms, rounding of the bound could matter. */
const BOUND_SLACK_MS = 1e-6;

export interface Search {
  parameters: PlacementParameters;
  /** r of each player at every host. */
  rows: readonly ScoreRow[];
  weights: Float64Array | undefined;
  /** Slots of the hosts, and of the set of them. */
  slots: readonly number[];
  version: number;
}

/** A host is out if its J is above `limitMs` and its largest round trip above `capMs`. */
export interface Bounds {
  limitMs: number;
  capMs: number;
}

/** Scratch of one search after the other. */
export class Contenders {
  /** Slots of those that are left, with the sums and maxima of their round trips. */
  #open = new Int32Array(0);
  #sums = new Float64Array(0);
  #maxima = new Float64Array(0);
  /** Shares of J, divided by the players' weights. */
  #meanShare = 0;
  #maxShare = 0;

  /**
   * Hosts within the bounds.
   * @param memo of the same room; used where players count alike
   * @returns how many are left
   */
  find(search: Search, bounds: Bounds, memo: SearchMemo | undefined): number {
    this.#begin(search);
    const { parameters: p, rows, weights, version } = search;
    const need = { limitMs: bounds.limitMs + BOUND_SLACK_MS, capMs: bounds.capMs };
    if (memo === undefined || weights !== undefined || need.limitMs === Number.POSITIVE_INFINITY)
      return this.#narrow(search, need);
    const left = memo.recall(this.#open, rows, need, worstShare(p), version, p.objective);
    if (left >= 0) return this.#add(left, rows);
    const wider = {
      limitMs: withMargin(need.limitMs),
      capMs: Number.isFinite(need.capMs) ? withMargin(need.capMs) : need.capMs,
    };
    const narrowed = this.#narrow(search, wider);
    memo.keep(this.#open, narrowed, rows, wider, version, p.objective);
    return narrowed;
  }

  slot(k: number): number {
    return this.#open[k] ?? 0;
  }

  maxMs(k: number): number {
    return this.#maxima[k] ?? 0;
  }

  /** No J of the k-th that is left is below this. */
  leastMs(k: number): number {
    return this.#meanShare * (this.#sums[k] ?? 0) + this.#maxShare * this.maxMs(k) - BOUND_SLACK_MS;
  }

  #begin({ parameters, rows, weights, slots }: Search): void {
    const least = leastShares(parameters, weights !== undefined);
    let weight = 0;
    for (let i = 0; i < rows.length; i++) weight += weights?.[i] ?? 1;
    this.#meanShare = least.mean / Math.max(weight, Number.MIN_VALUE);
    this.#maxShare = least.max;
    if (this.#open.length >= slots.length) return;
    this.#open = new Int32Array(2 * slots.length);
    this.#sums = new Float64Array(2 * slots.length);
    this.#maxima = new Float64Array(2 * slots.length);
  }

  /** What is remembered counts each player alike. */
  #add(left: number, rows: readonly ScoreRow[]): number {
    const open = this.#open;
    const sums = this.#sums.fill(0, 0, left);
    const maxima = this.#maxima.fill(0, 0, left);
    for (const { values } of rows) {
      for (let k = 0; k < left; k++) {
        const r = values[open[k] ?? 0] ?? 0;
        sums[k] = (sums[k] ?? 0) + r;
        if (r > (maxima[k] ?? 0)) maxima[k] = r;
      }
    }
    return left;
  }

  #narrow({ rows, weights, slots }: Search, { limitMs, capMs }: Bounds): number {
    const open = this.#open;
    const sums = this.#sums;
    const maxima = this.#maxima;
    let left = slots.length;
    for (let i = 0; i < left; i++) {
      open[i] = slots[i] ?? 0;
      sums[i] = 0;
      maxima[i] = 0;
    }
    let restMs = 0;
    for (let i = 0; i < rows.length; i++) restMs += (weights?.[i] ?? 1) * (rows[i]?.leastMs ?? 0);
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i];
      if (row === undefined) continue;
      const { values } = row;
      const w = weights?.[i] ?? 1;
      restMs -= w * row.leastMs;
      if ((i + 1) % BLOCK !== 0 && i + 1 < rows.length) {
        for (let k = 0; k < left; k++) {
          const r = values[open[k] ?? 0] ?? 0;
          sums[k] = (sums[k] ?? 0) + w * r;
          if (r > (maxima[k] ?? 0)) maxima[k] = r;
        }
        continue;
      }
      let kept = 0;
      for (let k = 0; k < left; k++) {
        const slot = open[k] ?? 0;
        const r = values[slot] ?? 0;
        const sum = (sums[k] ?? 0) + w * r;
        const max = Math.max(maxima[k] ?? 0, r);
        const leastMs = this.#meanShare * (sum + restMs) + this.#maxShare * max - BOUND_SLACK_MS;
        if (leastMs > limitMs && max > capMs) continue;
        open[kept] = slot;
        sums[kept] = sum;
        maxima[kept] = max;
        kept++;
      }
      left = kept;
    }
    return left;
  }
}
