/**
 * What one client measures and knows of its distance to hosts. The rooms it is in share it: one set of connections to
 * beacons, one memory of round trips, and nothing at all while it is in no room.
 */
import type { Beacon, JoinHints, ProbeReport } from "@centroid/protocol";
import type { BrokerApi } from "./broker-api.js";
import type { CentroidClientOptions } from "./client.js";
import { KnownRtts } from "./known-rtts.js";
import { ProbeLoop, type ProbeLoopOptions } from "./probe-loop.js";
import { Prober } from "./prober.js";
import type { CentroidRoom } from "./room.js";
import { reachable } from "./way.js";
import type { Ways } from "./ways.js";

/** Whose measurements they are. */
interface Measurer extends Pick<ProbeLoopOptions, "identity" | "onRenewed"> {
  /** What is being measured already. */
  first: Promise<ProbeReport[]> | undefined;
}

export class Measuring {
  readonly #api: BrokerApi;
  readonly #options: Pick<CentroidClientOptions, "probing" | "measureFirst" | "direct">;
  readonly #loops = new Set<ProbeLoop>();
  readonly #beacons = new Map<string, Beacon>();
  readonly #known = new KnownRtts();
  #prober = new Prober();
  /** A measurement that somebody waits for. */
  #pending: Promise<ProbeReport[]> | undefined;

  constructor(api: BrokerApi, options: Pick<CentroidClientOptions, "probing" | "measureFirst" | "direct">) {
    this.#api = api;
    this.#options = options;
  }

  /** What the broker is told with a request for a room. Measures first only if the client is to. */
  async hints(): Promise<Pick<JoinHints, "probes" | "canMeasure">> {
    const probing = this.#options.probing !== false;
    // The broker has it from the rooms that this client is in.
    const known = this.#loops.size > 0 ? [] : this.#known.reports(performance.now());
    const early = probing && this.#options.measureFirst === true && known.length === 0;
    const probes = early && this.#loops.size === 0 ? await this.now() : known;
    return { probes, ...(probing && !early && { canMeasure: true }) };
  }

  /** Measures the few hosts that tell where a player is, for somebody who waits: until the nearest are known. */
  async now(): Promise<ProbeReport[]> {
    this.#pending ??= this.#api.beacons().then(({ beacons }) => {
      for (const beacon of beacons) this.#beacons.set(beacon.hostId, beacon);
      return this.#prober.measureSoon(beacons);
    });
    try {
      const reports = await this.#pending;
      this.#known.add(reports, performance.now());
      return reports;
    } finally {
      this.#pending = undefined;
    }
  }

  /** The same while the connection to the room comes about: a room that is in the wrong place need not stay there long. */
  beside(url: string, beacons: readonly Beacon[] = []): Promise<ProbeReport[]> | undefined {
    if (this.#options.probing === false || beacons.length === 0) return undefined;
    const near = beacons.map((beacon) => reachable(url, beacon));
    for (const beacon of near) this.#beacons.set(beacon.hostId, beacon);
    return this.#prober.measureSoon(near);
  }

  /** Goes on measuring while the player is in that room. */
  watch(room: CentroidRoom, ways: Ways, { identity, onRenewed, first }: Measurer): void {
    if (this.#options.probing === false) return;
    const loop = new ProbeLoop({
      api: this.#api,
      beacons: this.#beacons,
      prober: this.#prober,
      room,
      ways,
      direct: this.#options.direct !== false,
      identity,
      onRenewed,
      onMeasured: (reports) => this.#known.add(reports, performance.now()),
      intervalMs: this.#options.probing?.intervalMs,
    });
    this.#loops.add(loop);
    room.onLeave(() => {
      loop.stop();
      this.#loops.delete(loop);
      this.rest();
    });
    room.onMigrate(() => loop.soon());
    loop.start(first);
  }

  /** The player is elsewhere: what it knew says nothing, and is measured anew. */
  elsewhere(): void {
    this.#known.clear();
    for (const loop of this.#loops) loop.soon();
  }

  /** Without a room there is nothing to measure for: open connections would keep a process alive. */
  rest(): void {
    if (this.#loops.size > 0) return;
    this.#prober[Symbol.dispose]();
    this.#prober = new Prober();
  }

  stop(): void {
    for (const loop of this.#loops) loop.stop();
    this.#loops.clear();
    this.rest();
  }
}
