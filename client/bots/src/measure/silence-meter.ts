/** How long a player saw nothing change: the gap between state updates around a move. */

/** Gaps that end this long before or after the news of a move belong to it. */
const WINDOW_MS = 750;

interface Gap {
  readonly endMs: number;
  readonly gapMs: number;
}

/** Keeps the recent gaps between state updates of one room. */
export class SilenceMeter {
  readonly #gaps: Gap[] = [];
  #lastMs: number | undefined;

  /** A state update came. */
  update(nowMs: number): void {
    if (this.#lastMs !== undefined) this.#gaps.push({ endMs: nowMs, gapMs: nowMs - this.#lastMs });
    this.#lastMs = nowMs;
    while (this.#gaps[0] && this.#gaps[0].endMs < nowMs - 2 * WINDOW_MS) this.#gaps.shift();
  }

  /** How long after the news of a move its silence can be told, ms. */
  get settleMs(): number {
    return WINDOW_MS;
  }

  /**
   * The longest gap around a moment, and what of it is beyond the usual time between updates (the median of
   * the gaps kept). To be asked {@link settleMs} after the moment.
   */
  around(momentMs: number): { longestMs: number; beyondTickMs: number } {
    const gaps = this.#gaps.map(({ gapMs }) => gapMs).sort((a, b) => a - b);
    const usualMs = gaps[gaps.length >> 1] ?? 0;
    const around = this.#gaps.filter(({ endMs }) => Math.abs(endMs - momentMs) <= WINDOW_MS);
    const longestMs = Math.max(0, ...around.map(({ gapMs }) => gapMs));
    return { longestMs, beyondTickMs: Math.max(0, longestMs - usualMs) };
  }
}
