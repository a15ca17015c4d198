/** Keeps measuring while in a room: its host always, and the few others the broker wants confirmed. */
import type { Beacon, ProbeReport, ProbeRequest } from "@centroid/protocol";
import type { BrokerApi } from "./broker-api.js";
import { NearestGateway } from "./nearest-gateway.js";
import type { Prober } from "./prober.js";
import type { CentroidRoom } from "./room.js";
import type { Ways } from "./ways.js";

/** Pause before a first round that nobody has begun yet, and after the broker could not be reached. */
const FIRST_ROUND_MS = 500;
const RETRY_MS = 2_000;
/** Gateways are compared in one round of so many. */
const COMPARE_EVERY = 3;

export interface ProbeLoopOptions {
  api: BrokerApi;
  beacons: Map<string, Beacon>;
  prober: Prober;
  room: CentroidRoom;
  ways: Ways;
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
  #rounds = 0;
  readonly #nearest: NearestGateway;

  constructor(options: ProbeLoopOptions) {
    this.#options = options;
    this.#nearest = new NearestGateway(options.prober);
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
      const reports = await (measured ??
        this.#options.prober.measure(await this.#beacons([current, ...this.#wanted])));
      if (this.#stopped) return;
      this.#options.onMeasured(reports);
      const own = reports.find(({ hostId }) => hostId === current);
      if (own !== undefined && this.#options.room.host.hostId === current)
        this.#options.room.measured(own.rttsMs, own.lost);
      const { next, intervalMs, playerToken } = await this.#options.api.probes({
        ...this.#options.identity(),
        probes: reports,
      });
      if (playerToken !== undefined) this.#options.onRenewed(playerToken);
      for (const beacon of next) this.#options.beacons.set(beacon.hostId, beacon);
      this.#wanted = next.map(({ hostId }) => hostId);
      nextMs = this.#options.intervalMs ?? intervalMs;
      if (++this.#rounds % COMPARE_EVERY === 0) await this.#compareGateways();
    } catch {
      // The broker is away: the room goes on, measurements wait.
    } finally {
      this.#running = false;
      this.#schedule(this.#again ? 0 : nextMs);
    }
  }

  /** Beacons are measured by the same way as the room is reached, so that rooms are placed for what players feel. */
  async #compareGateways(): Promise<void> {
    const { ways, room, api, beacons } = this.#options;
    const { hostId } = room.host;
    const nearest = await this.#nearest.compare(ways.origins, hostId);
    if (nearest === undefined || this.#stopped || room.host.hostId !== hostId) return;
    api.prefer(nearest);
    beacons.clear();
    ways.choose(nearest);
  }

  async #beacons(hostIds: readonly string[]): Promise<Beacon[]> {
    const wanted = [...new Set(hostIds)];
    const unknown = wanted.filter((hostId) => !this.#options.beacons.has(hostId));
    if (unknown.length > 0) {
      const { beacons } = await this.#options.api.beacons(unknown);
      for (const beacon of beacons) this.#options.beacons.set(beacon.hostId, beacon);
    }
    return wanted.flatMap((hostId) => this.#options.beacons.get(hostId) ?? []);
  }
}
