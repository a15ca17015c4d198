/** What a room's work has cost lately: CPU time in worker threads, how often, how long requests waited. */

const WINDOW_MS = 10_000;

export interface MeasuredWork {
  msPerRequest: number;
  perSecond: number;
  /** Mean time that a request waited for a thread. */
  queueMs: number;
  /** As the room's class declares it. */
  declared?: boolean;
}

export class WorkMeter {
  readonly #now: () => number;
  #recent: { atMs: number; cpuMs: number; queueMs: number }[] = [];
  #sinceMs: number | undefined;

  constructor(now: () => number) {
    this.#now = now;
  }

  add(cpuMs: number, queueMs: number): void {
    const atMs = this.#now();
    this.#sinceMs ??= atMs;
    this.#recent.push({ atMs, cpuMs, queueMs });
  }

  /** Of the last ten seconds; undefined if there was nothing in them. */
  measured(): MeasuredWork | undefined {
    const nowMs = this.#now();
    this.#recent = this.#recent.filter(({ atMs }) => nowMs - atMs < WINDOW_MS);
    const count = this.#recent.length;
    if (count === 0) return undefined;
    const mean = (of: (one: { cpuMs: number; queueMs: number }) => number): number =>
      this.#recent.reduce((sum, one) => sum + of(one), 0) / count;
    // At least a second: the first request does not make a rate.
    const spanMs = Math.min(WINDOW_MS, Math.max(1_000, nowMs - (this.#sinceMs ?? nowMs)));
    return {
      msPerRequest: mean(({ cpuMs }) => cpuMs),
      perSecond: (count / spanMs) * 1_000,
      queueMs: mean(({ queueMs }) => queueMs),
    };
  }
}
