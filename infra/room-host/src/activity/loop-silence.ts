/**
 * For how long an event loop has not turned, less the time in which its thread was ready and no core was free: a full
 * machine is slow, not hung, up to a limit.
 */
import { threadTimes } from "./thread-times.js";

/** A loop that hangs on a full machine is to be found out, too. */
const MAX_WAITED_MS = 3_500;

export class LoopSilence {
  readonly #waitedMs: () => number;
  #beats = -1;
  #turnedAtMs: number;
  #waitedAtTurnMs: number;

  /** @param waitedMs for how long the loop's thread has waited for a core, in all */
  constructor(nowMs: number, waitedMs: () => number) {
    this.#waitedMs = waitedMs;
    this.#turnedAtMs = nowMs;
    this.#waitedAtTurnMs = waitedMs();
  }

  /** @param beats a number that the loop changes at each turn @returns the silence, ms; 0 right after a turn */
  look(nowMs: number, beats: number): number {
    const waitedMs = this.#waitedMs();
    // A process that was moved is another one to the kernel, and has waited for nothing yet.
    if (beats !== this.#beats || waitedMs < this.#waitedAtTurnMs) {
      this.#beats = beats;
      this.#turnedAtMs = nowMs;
      this.#waitedAtTurnMs = waitedMs;
    }
    return nowMs - this.#turnedAtMs - Math.min(waitedMs - this.#waitedAtTurnMs, MAX_WAITED_MS);
  }

  /** The silence so far was not the loop's. */
  excuse(): void {
    this.#beats = -1;
  }
}

/** How long this process's main thread has waited for a core, ms; 0 where nobody counts it. */
export const mainThreadWaitedMs = (): number => threadTimes(process.pid)?.waitedMs ?? 0;
