/**
 * How far hosts are from gateways, as the gateways themselves measure it: few pairs, steady, the same for every player. All
 * brokers know what one of them is told, since a player may report to any.
 */
import { MAX_MEASURED_HOSTS, type ProbeReport } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Cluster } from "../cluster/cluster.js";
import type { HostRegistry } from "../hosts/host-registry.js";
import type { PlacementEngine } from "../placement/engine.js";

/** The median of so many round trips is a leg. */
const KEPT_RTTS = 9;
/** Paths between machines are steady. A gateway to which nobody comes for so long measures nothing meanwhile. */
const STALE_MS = 15 * 60_000;

interface MeasuredLeg {
  rttsMs: number[];
  atMs: number;
}

/** As which player the placement knows a gateway: players behind it of whom nothing is known are as far from hosts. */
export const standInFor = (gatewayId: string): string => `gateway:${gatewayId}`;

export interface GatewayLegsOptions {
  engine: Pick<PlacementEngine, "upsertPlayer" | "addProbe" | "removePlayer">;
  hosts: HostRegistry;
  cluster: Pick<Cluster, "publish">;
  clock: Clock;
  /** False where distances are emulated: players' bytes are delayed, those of gateways are not. */
  enabled: boolean;
}

export class GatewayLegs {
  readonly #options: GatewayLegsOptions;
  /** By gateway, then by host. */
  readonly #legs = new Map<string, Map<string, MeasuredLeg>>();

  constructor(options: GatewayLegsOptions) {
    this.#options = options;
  }

  /** A gateway of this broker has measured. */
  report(gatewayId: string, hosts: readonly ProbeReport[]): void {
    if (hosts.length === 0) return;
    this.#options.cluster.publish("gateway-legs", { gatewayId, hosts });
    this.reportedToBroker(gatewayId, hosts);
  }

  /** A gateway of another broker has. */
  reportedToBroker(gatewayId: string, hosts: readonly ProbeReport[]): void {
    const { clock, engine } = this.#options;
    const atMs = clock.now();
    const standIn = standInFor(gatewayId);
    let legs = this.#legs.get(gatewayId);
    if (legs === undefined) {
      legs = new Map();
      this.#legs.set(gatewayId, legs);
      engine.upsertPlayer(standIn, undefined);
    }
    for (const { hostId, rttsMs } of hosts) {
      const usable = usableRtts(rttsMs);
      if (usable.length === 0) continue;
      for (const rttMs of usable) engine.addProbe(standIn, hostId, atMs, rttMs);
      const before = legs.get(hostId)?.rttsMs ?? [];
      legs.set(hostId, { rttsMs: [...before, ...usable].slice(-KEPT_RTTS), atMs });
    }
    this.#forgetOld();
  }

  /** Active hosts that this gateway measured longest ago, or never. */
  toMeasure(gatewayId: string): string[] {
    if (!this.#options.enabled) return [];
    const legs = this.#legs.get(gatewayId);
    const measuredAtMs = (hostId: string): number => legs?.get(hostId)?.atMs ?? 0;
    return [...this.#options.hosts.values()]
      .filter(({ stage, peer }) => stage.state !== "lost" && peer !== undefined)
      .map(({ facts }) => facts.hostId)
      .sort((a, b) => measuredAtMs(a) - measuredAtMs(b))
      .slice(0, MAX_MEASURED_HOSTS);
  }

  /** It has measured any host lately. */
  knows(gatewayId: string): boolean {
    return this.#legs.has(gatewayId);
  }

  /** Median round trip, ms; undefined if it was not measured lately. */
  rttMs(gatewayId: string, hostId: string): number | undefined {
    const leg = this.#legs.get(gatewayId)?.get(hostId);
    if (leg === undefined || this.#isOld(leg)) return undefined;
    return medianOf(leg.rttsMs);
  }

  #isOld({ atMs }: MeasuredLeg): boolean {
    return this.#options.clock.now() - atMs > STALE_MS;
  }

  #forgetOld(): void {
    for (const [gatewayId, legs] of this.#legs) {
      for (const [hostId, leg] of legs) if (this.#isOld(leg)) legs.delete(hostId);
      if (legs.size > 0) continue;
      this.#legs.delete(gatewayId);
      this.#options.engine.removePlayer(standInFor(gatewayId));
    }
  }
}

/** A stranger may say anything. */
export const usableRtts = (rttsMs: readonly number[]): number[] =>
  rttsMs.filter((rttMs) => Number.isFinite(rttMs) && rttMs >= 0);

/** @returns undefined of nothing */
export function medianOf(values: readonly number[]): number | undefined {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}
