/**
 * Measures the silence of a move as the player feels it: from the last frame of the old host to the first of
 * the new one. In a room where nothing changes there are no frames; then the control frames stand in.
 */

/** A stream is idle if its last frame is older than so many patch intervals. */
const IDLE_INTERVALS = 1.5;

export class GapMeter {
  #lastFrameMs: number | undefined;
  #beforeMoveMs: number | undefined;
  #stoppedMs: number | undefined;
  #resumedMs: number | undefined;
  #done: ((gapMs: number) => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** A data frame was delivered. */
  frame(nowMs: number): void {
    if (this.#done !== undefined) this.#finish(nowMs);
    this.#lastFrameMs = nowMs;
  }

  /** The old host said that it sends no more. */
  stopped(nowMs: number): void {
    this.#stoppedMs = nowMs;
  }

  /** The new host said that it runs the room. */
  resumed(nowMs: number): void {
    this.#resumedMs = nowMs;
  }

  /** Call at the switch, before the first frame of the new host is delivered. */
  onceMeasured(patchRateMs: number, done: (gapMs: number) => void): void {
    // The host that was to be heard was lost before it said anything.
    if (this.#done !== undefined) this.#finish(this.#resumedMs ?? this.#beforeMoveMs ?? 0);
    const stopped = this.#stoppedMs ?? this.#lastFrameMs ?? this.#resumedMs ?? 0;
    const last = this.#lastFrameMs;
    const idle = last === undefined || stopped - last > patchRateMs * IDLE_INTERVALS;
    this.#beforeMoveMs = idle ? stopped : last;
    this.#done = done;
    this.#timer = setTimeout(
      () => this.#finish(Math.max(this.#resumedMs ?? 0, this.#beforeMoveMs ?? 0)),
      Math.max(1, patchRateMs * IDLE_INTERVALS),
    );
  }

  #finish(nowMs: number): void {
    clearTimeout(this.#timer);
    const done = this.#done;
    this.#done = undefined;
    const gapMs = Math.max(0, nowMs - (this.#beforeMoveMs ?? nowMs));
    this.#stoppedMs = undefined;
    this.#resumedMs = undefined;
    done?.(gapMs);
  }
}
