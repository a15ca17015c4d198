/**
 * How far the hosts are from this gateway, for all players behind it: the second half of a player's way. Measured as
 * players measure, at the hosts' beacons, and said to the broker, which names the hosts: again and again while there is
 * anybody here, and seldom while there is nobody, for the room of whoever comes first.
 */
import type { GatewayDirectory, HostBeacon, ProbeReport } from "@centroid/protocol";
import { Prober } from "@centroid/sdk/session";

/** A player that stays put measures its gateways less often than once a minute. */
const WANTED_FOR_MS = 5 * 60_000;
/** Paths between machines are steady; the connections to beacons are kept from one round to the next. */
const ROUND_MS = 10_000;
/** While nobody is here; a broker believes what it was told for three times as long. */
const IDLE_ROUND_MS = 5 * 60_000;

export interface HostMeterOptions {
  directory: Pick<GatewayDirectory, "measured">;
  /** Somebody is here. */
  wanted: () => boolean;
}

export class HostMeter implements Disposable {
  readonly #options: HostMeterOptions;
  readonly #prober = new Prober();
  #hosts: readonly HostBeacon[] = [];
  #timer: NodeJS.Timeout | undefined;
  #running = false;
  #idle = false;
  #cameAtMs = performance.now();
  #disposed = false;

  constructor(options: HostMeterOptions) {
    this.#options = options;
  }

  start(): void {
    this.#schedule(0);
  }

  /** Somebody has come, to play or to measure the way here. */
  soon(): void {
    this.#cameAtMs = performance.now();
    if (this.#idle && !this.#running) this.#schedule(0);
  }

  #schedule(inMs: number): void {
    if (this.#disposed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#round(), inMs);
    this.#timer.unref();
  }

  async #round(): Promise<void> {
    this.#running = true;
    const asked = this.#hosts;
    try {
      const hosts = await this.#prober.measure(
        asked.map(({ hostId, address }) => ({ hostId, url: `ws://${address}` })),
      );
      if (this.#disposed) return;
      this.#hosts = await this.#options.directory.measured({ hosts: hosts.map(rounded) });
    } catch {
      // No broker answers just now: what was measured is measured again.
    } finally {
      this.#running = false;
      this.#idle = !this.#options.wanted() && performance.now() - this.#cameAtMs > WANTED_FOR_MS;
      const roundMs = this.#idle ? IDLE_ROUND_MS : ROUND_MS;
      this.#schedule(asked.length === 0 && this.#hosts.length > 0 ? 0 : roundMs);
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
    this.#prober[Symbol.dispose]();
  }
}

const rounded = ({ hostId, rttsMs, lost }: ProbeReport): ProbeReport => ({
  hostId,
  rttsMs: rttsMs.map((rttMs) => Math.round(rttMs * 1000) / 1000),
  lost,
});
