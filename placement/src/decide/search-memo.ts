/**
 * What one search ruled out, for the next search of the same room: as long as no round trip has fallen by more than
 * the margin, the same hosts are out, and only the few that were left are looked at.
 */
import type { ScoreRow } from "./score-rows.js";

/** Hosts so little worse than the best are kept, so that small changes need no new look at all hosts. */
const MARGIN_SHARE = 0.05;
const MARGIN_MS = 1;

export const withMargin = (ms: number): number => ms * (1 + MARGIN_SHARE) + MARGIN_MS;

/** Of one room. */
export class SearchMemo {
  #open = new Int32Array(0);
  #left = 0;
  #version = -1;
  #objective = "";
  #serials = new Float64Array(0);
  #fallenMs = new Float64Array(0);
  /** J, and largest round trip, that every host that was ruled out had at least. */
  #limitMs = 0;
  #capMs = 0;

  /** @param version of the set of hosts */
  keep(
    open: Int32Array,
    left: number,
    rows: readonly ScoreRow[],
    bounds: { limitMs: number; capMs: number },
    version: number,
    objective: string,
  ): void {
    if (this.#open.length < left) this.#open = new Int32Array(left + 8);
    this.#open.set(open.subarray(0, left));
    this.#left = left;
    this.#version = version;
    this.#objective = objective;
    if (this.#serials.length !== rows.length) {
      this.#serials = new Float64Array(rows.length);
      this.#fallenMs = new Float64Array(rows.length);
    }
    for (let i = 0; i < rows.length; i++) {
      this.#serials[i] = rows[i]?.serial ?? -1;
      this.#fallenMs[i] = rows[i]?.fallenMs ?? 0;
    }
    this.#limitMs = bounds.limitMs;
    this.#capMs = bounds.capMs;
  }

  /**
   * Puts the hosts that were left into `open`.
   * @param share weight of the worst-off player in J, the others' being equal
   * @returns how many; -1 if what is remembered does not hold any more
   */
  recall(
    open: Int32Array,
    rows: readonly ScoreRow[],
    need: { limitMs: number; capMs: number },
    share: number,
    version: number,
    objective: string,
  ): number {
    const count = rows.length;
    if (this.#version !== version || this.#serials.length !== count || this.#objective !== objective)
      return -1;
    let sum = 0;
    let most = 0;
    for (let i = 0; i < count; i++) {
      const row = rows[i];
      if (row === undefined || row.serial !== this.#serials[i]) return -1;
      const fallMs = row.fallenMs - (this.#fallenMs[i] ?? 0);
      sum += fallMs;
      if (fallMs > most) most = fallMs;
    }
    const fallMs = ((1 - share) * sum) / Math.max(1, count) + share * most;
    if (this.#limitMs - fallMs < need.limitMs || this.#capMs - most < need.capMs) return -1;
    for (let k = 0; k < this.#left; k++) open[k] = this.#open[k] ?? 0;
    return this.#left;
  }
}
