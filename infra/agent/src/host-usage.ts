/** What the agent and its rooms use of their machine, measured anew once a window is over. */
import type { Carrier } from "./carrier/carrier.js";

/** Over which the load is taken; shorter ones say more of chance than of load. */
const WINDOW_MS = 1_000;

type Used = ReturnType<Carrier["usage"]>;

export interface HostUsageOptions {
  carriers: readonly Pick<Carrier, "usage">[];
  /** What the agent's own process uses: CPU time so far, memory now. */
  own: () => Used;
  cores: number;
  now: () => number;
}

export class HostUsage {
  readonly #options: HostUsageOptions;
  #cpuMicros = 0;
  #atMs: number;
  #last: { load: number; rssBytes: number };

  constructor(options: HostUsageOptions) {
    this.#options = options;
    this.#atMs = options.now();
    this.#last = { load: 0, rssBytes: options.own().rssBytes };
  }

  /** Share of the machine's CPU, 0..1, over the last whole window, and memory at its end. */
  get(): { load: number; rssBytes: number } {
    const { cores, now } = this.#options;
    const nowMs = now();
    const passedMs = nowMs - this.#atMs;
    if (passedMs < WINDOW_MS) return this.#last;
    const { cpuMicros, rssBytes } = this.#sum();
    const load = Math.min(1, Math.max(0, (cpuMicros - this.#cpuMicros) / (passedMs * 1000 * cores)));
    this.#cpuMicros = cpuMicros;
    this.#atMs = nowMs;
    this.#last = { load, rssBytes };
    return this.#last;
  }

  #sum(): Used {
    const { carriers, own } = this.#options;
    const sum = own();
    for (const carrier of carriers) {
      const { cpuMicros, rssBytes } = carrier.usage();
      sum.cpuMicros += cpuMicros;
      sum.rssBytes += rssBytes;
    }
    return sum;
  }
}
