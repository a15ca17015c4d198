/**
 * Keeps measuring while in a room: its host always, and the few others the broker wants confirmed. What it measured goes
 * over the room's own connection, which costs the broker no request; over HTTP where that cannot be, and now and then, since
 * a new player token is given to the player and to nobody in between.
 */
import type { Beacon, ProbeReport, ProbeRequest } from "@centroid/protocol";
import type { BrokerApi } from "./broker-api.js";
import { GatewayChoice, type MeasuredWays } from "./gateway-choice.js";
import type { Prober } from "./prober.js";
import type { CentroidRoom } from "./room.js";
import type { Ways } from "./ways.js";

/** Pause before a first round that nobody has begun yet, and after the broker could not be reached. */
const FIRST_ROUND_MS = 500;
const RETRY_MS = 2_000;
/** A gateway that seems nearer is measured again after this. */
const CONFIRM_MS = 500;
/** What was said over the room's connection and has no answer by then is said to the broker itself. */
const ANSWER_TIMEOUT_MS = 5_000;
/** A token is replaced during the second half of its day. */
const TOKEN_CHECK_MS = 60 * 60_000;

export interface ProbeLoopOptions {
  api: BrokerApi;
  beacons: Map<string, Beacon>;
  prober: Prober;
  room: CentroidRoom;
  ways: Ways;
  /** Hosts may be reached without a gateway. */
  direct: boolean;
  identity: () => Omit<ProbeRequest, "probes" | "roomId">;
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
  /** When the broker last answered over HTTP; joining was the first time. */
  #askedAtMs = performance.now();
  /** The answer to what was said over the room's connection is still to come. */
  #awaited = false;
  /** The way that the broker knows of. */
  #toldWay = wayOf({});

  constructor(options: ProbeLoopOptions) {
    this.#options = options;
    this.#gateways = new GatewayChoice(options);
    options.room.onMeasure(({ next, intervalMs }) => this.#answered(next, intervalMs));
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
          this.#beacons([current, ...this.#wanted]).then((near) =>
            this.#options.prober.measure(near, current),
          ),
        this.#gateways.measure(current),
      ]);
      if (this.#stopped) return;
      this.#options.onMeasured(reports);
      const own = reports.find(({ hostId }) => hostId === current);
      if (own !== undefined && this.#options.room.host.hostId === current)
        this.#options.room.measured(own.rttsMs, own.lost, this.#gateways.presentId(current));
      nextMs = this.#reportToRoom(reports, gateways)
        ? ANSWER_TIMEOUT_MS
        : await this.#reportToBroker(current, reports, gateways, own);
    } catch {
      // The broker is away: the room goes on, measurements wait.
    } finally {
      this.#running = false;
      this.#schedule(this.#again ? 0 : nextMs);
    }
  }

  #reportToRoom(probes: ProbeReport[], { said }: MeasuredWays): boolean {
    const { room, identity } = this.#options;
    // What it said before may have met a host or a broker that is gone.
    const unanswered = this.#awaited;
    this.#awaited = false;
    if (unanswered || performance.now() - this.#askedAtMs > TOKEN_CHECK_MS) return false;
    // By which way it is best to come the broker says itself, and of a new one it has to hear first.
    if (said.gateways !== undefined || wayOf(said) !== this.#toldWay) return false;
    const { network, location } = identity();
    this.#awaited = room.report({
      ...(network !== undefined && { network }),
      ...(location !== undefined && { location }),
      probes,
    });
    return this.#awaited;
  }

  /** @returns when to report again */
  async #reportToBroker(
    hostId: string,
    probes: ProbeReport[],
    ways: MeasuredWays,
    own: ProbeReport | undefined,
  ): Promise<number> {
    const { api, identity, beacons, onRenewed, room } = this.#options;
    const { next, intervalMs, playerToken, gatewayId, direct } = await api.probes({
      ...identity(),
      ...ways.said,
      roomId: room.roomId,
      probes,
    });
    this.#askedAtMs = performance.now();
    this.#toldWay = wayOf(ways.said);
    if (playerToken !== undefined) onRenewed(playerToken);
    for (const beacon of next) beacons.set(beacon.hostId, beacon);
    this.#wanted = next.map((beacon) => beacon.hostId);
    const nextMs = this.#options.intervalMs ?? intervalMs;
    if (this.#stopped || this.#gateways.offered(hostId, direct, ways, own)) return nextMs;
    const chosen = this.#gateways.answered(hostId, ways, gatewayId);
    if (chosen !== undefined) this.#comesBy(chosen);
    return chosen === undefined && this.#gateways.isPending ? Math.min(nextMs, CONFIRM_MS) : nextMs;
  }

  #answered(next: readonly string[], intervalMs: number): void {
    this.#awaited = false;
    this.#wanted = [...next];
    // While a round is under way it goes by what that says.
    if (!this.#running) this.#schedule(this.#options.intervalMs ?? intervalMs);
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

const wayOf = ({ way, gatewayId }: MeasuredWays["said"]): string => way ?? gatewayId ?? "";
