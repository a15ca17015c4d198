/** Keeps measuring while in a room: its host always, and the few others the broker wants confirmed. */
import type { Beacon, ProbeReport, ProbeRequest } from "@centroid/protocol";
import type { BrokerApi } from "./broker-api.js";
import { GatewayChoice } from "./gateway-choice.js";
import type { Prober } from "./prober.js";
import type { CentroidRoom } from "./room.js";
import type { Ways } from "./ways.js";

/** Pause before a first round that nobody has begun yet, and after the broker could not be reached. */
const FIRST_ROUND_MS = 500;
const RETRY_MS = 2_000;
/** A gateway that seems nearer is measured again after this. */
const CONFIRM_MS = 500;

export interface ProbeLoopOptions {
  api: BrokerApi;
  beacons: Map<string, Beacon>;
  prober: Prober;
  room: CentroidRoom;
  ways: Ways;
  /** Hosts may be reached without a gateway. */
  direct: boolean;
  identity: () => Omit<ProbeRequest, "probes">;
  /** The broker gave this player a token in place of the one that it has. */
  onRenewed: (playerToken: string) => void;
  onMeasured: (reports: readonly ProbeReport[]) => void;
  /** Overrides the broker's adaptive interval. */
  intervalMs: number | undefined;
}

export class ProbeLoop {
  readonly #options: ProbeLoopOptions;
  #wanted: string[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;
  #stopped = false;
  readonly #gateways: GatewayChoice;

  constructor(options: ProbeLoopOptions) {
    this.#options = options;
    this.#gateways = new GatewayChoice(options);
  }

  /** @param first what is being measured already */
  start(first?: Promise<ProbeReport[]>): void {
    if (first === undefined) this.#schedule(FIRST_ROUND_MS);
    else void this.#round(first);
  }

  /** Something changed: measure now. */
  soon(): void {
    if (this.#running) this.#again = true;
    else this.#schedule(0);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #schedule(delayMs: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => void this.#round(), delayMs);
    (this.#timer as { unref?: () => void }).unref?.();
  }

  async #round(measured?: Promise<ProbeReport[]>): Promise<void> {
    this.#running = true;
    this.#again = false;
    let nextMs = RETRY_MS;
    try {
      const current = this.#options.room.host.hostId;
      const [reports, gateways] = await Promise.all([
        measured ??
          this.#beacons([current, ...this.#wanted]).then((near) => this.#options.prober.measure(near)),
        this.#gateways.measure(current),
      ]);
      if (this.#stopped) return;
      this.#options.onMeasured(reports);
      const own = reports.find(({ hostId }) => hostId === current);
      if (own !== undefined && this.#options.room.host.hostId === current)
        this.#options.room.measured(own.rttsMs, own.lost, this.#gateways.presentId(current));
      const { next, intervalMs, playerToken, gatewayId, direct } = await this.#options.api.probes({
        ...this.#options.identity(),
        ...gateways.said,
        probes: reports,
      });
      if (playerToken !== undefined) this.#options.onRenewed(playerToken);
      for (const beacon of next) this.#options.beacons.set(beacon.hostId, beacon);
      this.#wanted = next.map(({ hostId }) => hostId);
      nextMs = this.#options.intervalMs ?? intervalMs;
      if (this.#stopped) return;
      if (this.#gateways.offered(current, direct, gateways, own)) return;
      const chosen = this.#gateways.answered(current, gateways, gatewayId);
      if (chosen !== undefined) this.#comesBy(chosen);
      else if (this.#gateways.isPending) nextMs = Math.min(nextMs, CONFIRM_MS);
    } catch {
      // The broker is away: the room goes on, measurements wait.
    } finally {
      this.#running = false;
      this.#schedule(this.#again ? 0 : nextMs);
    }
  }

  /** Hosts are measured by the same way as the room is reached. */
  #comesBy(origin: string): void {
    this.#options.api.prefer(origin);
    this.#options.beacons.clear();
  }

  async #beacons(hostIds: readonly string[]): Promise<Beacon[]> {
    const wanted = [...new Set(hostIds)];
    const unknown = wanted.filter((hostId) => !this.#options.beacons.has(hostId));
    if (unknown.length > 0) {
      const { beacons } = await this.#options.api.beacons(unknown);
      for (const beacon of beacons) this.#options.beacons.set(beacon.hostId, beacon);
    }
    return wanted.flatMap(
      (hostId) => this.#gateways.directBeacon(hostId) ?? this.#options.beacons.get(hostId) ?? [],
    );
  }
}
