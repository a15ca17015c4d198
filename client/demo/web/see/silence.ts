/** How long no answer came, around a move: the longest gap between two answers from when it began until a second after. */

const SETTLE_MS = 1_000;

export class AnswerSilence {
  readonly #onMeasured: (longestMs: number) => void;
  #lastMs: number | undefined;
  #watch: { longestMs: number; untilMs: number } | undefined;

  constructor(onMeasured: (longestMs: number) => void) {
    this.#onMeasured = onMeasured;
  }

  begins(): void {
    this.#watch = { longestMs: 0, untilMs: Number.POSITIVE_INFINITY };
  }

  moved(nowMs: number): void {
    this.#watch ??= { longestMs: 0, untilMs: 0 };
    this.#watch.untilMs = nowMs + SETTLE_MS;
  }

  answered(nowMs: number): void {
    const watch = this.#watch;
    if (watch !== undefined && this.#lastMs !== undefined) {
      watch.longestMs = Math.max(watch.longestMs, nowMs - this.#lastMs);
      if (nowMs >= watch.untilMs) {
        this.#watch = undefined;
        this.#onMeasured(watch.longestMs);
      }
    }
    this.#lastMs = nowMs;
  }
}
