/**
 * How far the hosts are from this gateway, for all players behind it: the second half of a player's way. Measured as
 * players measure, at the hosts' beacons, while there is anybody here, and said to the broker, which names the hosts.
 */
import type { GatewayDirectory, HostBeacon, ProbeReport } from "@centroid/protocol";
import { Prober } from "@centroid/sdk/session";

/** A player that stays put measures its gateways less often than once a minute. */
const WANTED_FOR_MS = 5 * 60_000;
/** Paths between machines are steady; the connections to beacons are kept from one round to the next. */
const ROUND_MS = 10_000;

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
  #cameAtMs = 0;
  #disposed = false;

  constructor(options: HostMeterOptions) {
    this.#options = options;
  }

  /** Somebody has come, to play or to measure the way here. */
  soon(): void {
    this.#cameAtMs = performance.now();
    if (this.#timer === undefined && !this.#running) this.#schedule(0);
  }

  #schedule(inMs: number): void {
    if (this.#disposed) return;
    this.#timer = setTimeout(() => void this.#round(), inMs);
    this.#timer.unref();
  }

  async #round(): Promise<void> {
    this.#timer = undefined;
    if (!this.#options.wanted() && performance.now() - this.#cameAtMs > WANTED_FOR_MS) return;
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
      this.#schedule(asked.length === 0 && this.#hosts.length > 0 ? 0 : ROUND_MS);
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
