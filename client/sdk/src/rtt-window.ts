/** The last round trips to one host: p50, p95, jitter and loss. */

/** About a minute at the calm probing rate. */
const WINDOW = 48;

export interface RttStats {
  pingMs: number;
  p50Ms: number;
  p95Ms: number;
  /** Mean difference of successive round trips (RFC 3550, 6.4.1, without the smoothing). */
  jitterMs: number;
  /** Share of probes without an answer, 0..1. */
  loss: number;
}

export class RttWindow {
  #rtts: (number | undefined)[] = [];

  /** `undefined`: no answer. */
  add(rttMs: number | undefined): void {
    this.#rtts.push(rttMs);
    if (this.#rtts.length > WINDOW) this.#rtts.shift();
  }

  stats(): RttStats | undefined {
    const answered = this.#rtts.filter((rtt) => rtt !== undefined);
    const last = answered.at(-1);
    if (last === undefined) return undefined;
    const sorted = [...answered].sort((a, b) => a - b);
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? last;
    let differences = 0;
    for (let i = 1; i < answered.length; i++)
      differences += Math.abs((answered[i] ?? 0) - (answered[i - 1] ?? 0));
    return {
      pingMs: last,
      p50Ms: at(0.5),
      p95Ms: at(0.95),
      jitterMs: answered.length > 1 ? differences / (answered.length - 1) : 0,
      loss: 1 - answered.length / this.#rtts.length,
    };
  }
}
