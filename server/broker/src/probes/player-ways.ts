/**
 * A player's ways to the hosts: by the gateway that carries it now, or by another that is clearly shorter. What the player
 * measures itself goes by the present one. Rooms are placed for the shortest ways, since a player goes over to another
 * gateway once its room is where that pays; so the best host is the best choice of host and gateways together.
 */
import { shortestWay } from "@centroid/placement";
import type { GatewayReport, ProbeReport } from "@centroid/protocol";
import { type GatewayLegs, medianOf, usableRtts } from "./gateway-legs.js";

/** A change of the gateway costs a few round trips of silence: another way has to be shorter by both. */
const WORTH_MS = 10;
const WORTH_SHARE = 0.2;
/** A player that has not measured gateways since then is judged by what it measures of hosts alone. */
const STALE_MS = 5 * 60_000;
/** Ways that are told of at the same time, as many as one report may hold. */
const MAX_PROBES = 64;

/** What a player said of the gateways that could carry it. */
export interface ToGateways {
  /** That carries it now. */
  presentId: string;
  /** By gateway: the last round trips. */
  rttsMs: ReadonlyMap<string, readonly number[]>;
  atMs: number;
}

/** One player's way to one host through a gateway, in its two halves. */
export interface GatewayWay {
  gatewayId: string;
  toGatewayMs: number;
  onwardMs: number;
  rttMs: number;
}

type OnwardLegs = Pick<GatewayLegs, "rttMs">;

/** @returns undefined if nothing was said of gateways, or of the present one */
export function toGatewaysOf(
  presentId: string | undefined,
  gateways: readonly GatewayReport[] | undefined,
  atMs: number,
): ToGateways | undefined {
  if (presentId === undefined || gateways === undefined) return undefined;
  const measured = gateways.flatMap(({ gatewayId, rttsMs }) => {
    const usable = usableRtts(rttsMs);
    return usable.length === 0 ? [] : [[gatewayId, usable] as const];
  });
  const rttsMs = new Map(measured);
  return rttsMs.has(presentId) ? { presentId, rttsMs, atMs } : undefined;
}

/** The way by one gateway. @returns undefined unless both halves are known */
export function gatewayWay(
  { rttsMs }: ToGateways,
  gatewayId: string,
  hostId: string,
  legs: OnwardLegs,
): GatewayWay | undefined {
  const toGatewayMs = medianOf(rttsMs.get(gatewayId) ?? []);
  const onwardMs = legs.rttMs(gatewayId, hostId);
  if (toGatewayMs === undefined || onwardMs === undefined) return undefined;
  return { gatewayId, toGatewayMs, onwardMs, rttMs: toGatewayMs + onwardMs };
}

/** The present gateway's way, or another's that is worth the change. @returns undefined if the present one is not known */
export function bestWay(to: ToGateways, hostId: string, legs: OnwardLegs): GatewayWay | undefined {
  const present = gatewayWay(to, to.presentId, hostId, legs);
  if (present === undefined) return undefined;
  const switchMs = Math.max(WORTH_MS, WORTH_SHARE * present.rttMs);
  return nearestWay(to, hostId, legs, switchMs);
}

/**
 * The shortest way of all.
 * @param switchMs by how much another has to be shorter than the present one
 */
export function nearestWay(
  to: ToGateways,
  hostId: string,
  legs: OnwardLegs,
  switchMs = 0,
): GatewayWay | undefined {
  const leg = (rttMs: number | undefined) => (rttMs === undefined ? undefined : { rttMs });
  const best = shortestWay(
    "",
    hostId,
    {
      direct: () => undefined,
      toGateway: (_, gatewayId) => leg(medianOf(to.rttsMs.get(gatewayId) ?? [])),
      onward: (gatewayId) => leg(legs.rttMs(gatewayId, hostId)),
    },
    {
      gatewayIds: [...to.rttsMs.keys()],
      currentGatewayId: () => to.presentId,
      switchMs,
    },
  );
  return best?.gatewayId === undefined ? undefined : gatewayWay(to, best.gatewayId, hostId, legs);
}

/**
 * A player's report as it would be by the shortest ways: less what another gateway saves, and with the hosts that the
 * player need not measure, since its gateways do.
 * @param measured by the present gateway, the whole way
 * @param others hosts to be added, if the player has just measured gateways
 */
export function byShortestWays(
  measured: readonly ProbeReport[],
  others: Iterable<string>,
  to: ToGateways | undefined,
  legs: OnwardLegs,
  nowMs: number,
): ProbeReport[] {
  if (to === undefined || nowMs - to.atMs > STALE_MS) return [...measured];
  const reports = measured.map((report) => {
    const best = bestWay(to, report.hostId, legs);
    const present = gatewayWay(to, to.presentId, report.hostId, legs);
    if (best === undefined || present === undefined || best.gatewayId === present.gatewayId) return report;
    const savedMs = present.rttMs - best.rttMs;
    return { ...report, rttsMs: report.rttsMs.map((rttMs) => Math.max(best.onwardMs, rttMs - savedMs)) };
  });
  if (to.atMs !== nowMs) return reports;
  const told = new Set(measured.map(({ hostId }) => hostId));
  const added: { rttMs: number; report: ProbeReport }[] = [];
  for (const hostId of others) {
    const best = told.has(hostId) ? undefined : bestWay(to, hostId, legs);
    if (best === undefined) continue;
    // With the jitter of the player's own half.
    const rttsMs = (to.rttsMs.get(best.gatewayId) ?? []).map((rttMs) => rttMs + best.onwardMs);
    added.push({ rttMs: best.rttMs, report: { hostId, rttsMs, lost: 0 } });
  }
  added.sort((a, b) => a.rttMs - b.rttMs);
  const room = Math.max(0, MAX_PROBES - reports.length);
  return [...reports, ...added.slice(0, room).map(({ report }) => report)];
}
