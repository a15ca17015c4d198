/**
 * Ways to a host through gateways: a player reaches a host directly or by one gateway, whichever is shorter, so
 * `r(p, h) = min(direct, min over gateways of r(p, g) + r(g, h))`. For a host each player's gateway is a choice of its
 * own, so the best host by the players' shortest ways is the exact best of host and gateways together.
 */
import type { LatencyMap } from "./latency-map.js";

export interface PlayerWay {
  rttMs: number;
  /** Undefined for the direct way. */
  gatewayId: string | undefined;
  /** One standard deviation of what is not measured, ms; 0 if both legs are exact. */
  errorMs: number;
}

/** One leg of a way; undefined where there is none (a player that may not connect directly, a gateway that is down). */
export type Leg = { rttMs: number; errorMs?: number } | undefined;

export interface Legs {
  /** From a player to a host without a gateway. */
  direct: (playerId: string, hostId: string) => Leg;
  toGateway: (playerId: string, gatewayId: string) => Leg;
  onward: (gatewayId: string, hostId: string) => Leg;
}

export interface WaysOptions {
  gatewayIds: readonly string[];
  /**
   * The gateway that a player is connected to now, if any: another way must be shorter by `switchMs`, as changing
   * over costs a connection.
   */
  currentGatewayId?: (playerId: string) => string | undefined;
  switchMs?: number;
}

/**
 * The shortest way of a player to a host; of equal ways the direct one, then the gateway named first. O(gateways).
 * @returns undefined if no way leads there
 */
export function shortestWay(
  playerId: string,
  hostId: string,
  { direct, toGateway, onward }: Legs,
  { gatewayIds, currentGatewayId, switchMs = 0 }: WaysOptions,
): PlayerWay | undefined {
  const heldId = currentGatewayId?.(playerId);
  let shortest: PlayerWay | undefined;
  let leastMs = Number.POSITIVE_INFINITY;
  const consider = (way: PlayerWay): void => {
    const comparedMs = way.rttMs + (heldId === undefined || way.gatewayId === heldId ? 0 : switchMs);
    if (comparedMs >= leastMs) return;
    leastMs = comparedMs;
    shortest = way;
  };
  const straight = direct(playerId, hostId);
  if (straight !== undefined)
    consider({ rttMs: straight.rttMs, gatewayId: undefined, errorMs: straight.errorMs ?? 0 });
  for (const gatewayId of gatewayIds) {
    const first = toGateway(playerId, gatewayId);
    const second = first && onward(gatewayId, hostId);
    if (first === undefined || second === undefined) continue;
    const errorMs = Math.hypot(first.errorMs ?? 0, second.errorMs ?? 0);
    consider({ rttMs: first.rttMs + second.rttMs, gatewayId, errorMs });
  }
  return shortest;
}

export interface HostByWays {
  hostId: string;
  /** Of the round trips by their shortest ways, ms. */
  scoreMs: number;
  ways: Map<string, PlayerWay>;
}

/**
 * The best host together with every player's way to it: exact, O(players x hosts x gateways).
 * @param score of a host from its players' round trips in the order of `playerIds`, ms; must not fall when one rises
 * @returns undefined if no host can be reached by everybody
 */
export function bestHostByWays(
  playerIds: readonly string[],
  hostIds: readonly string[],
  legs: Legs,
  options: WaysOptions,
  score: (rttsMs: readonly number[], hostId: string) => number,
): HostByWays | undefined {
  let best: HostByWays | undefined;
  for (const hostId of hostIds) {
    const ways = new Map<string, PlayerWay>();
    for (const playerId of playerIds) {
      const way = shortestWay(playerId, hostId, legs, options);
      if (way === undefined) break;
      ways.set(playerId, way);
    }
    if (ways.size < new Set(playerIds).size) continue;
    const scoreMs = score(
      playerIds.map((playerId) => ways.get(playerId)?.rttMs ?? Number.POSITIVE_INFINITY),
      hostId,
    );
    if (best === undefined || scoreMs < best.scoreMs) best = { hostId, scoreMs, ways };
  }
  return best;
}

/**
 * Legs from a latency map in which each gateway is known twice: as a host that players measure and, under the same id,
 * as a player that measures hosts. Unmeasured legs are estimates with their errors.
 */
export function legsOf(map: LatencyMap): Legs {
  const leg = (fromId: string, toId: string): Leg => {
    if (map.hostSlot(toId) < 0 || map.model(fromId) === undefined) return undefined;
    const { p50Ms, errorMs } = map.estimate(fromId, toId);
    return { rttMs: p50Ms, errorMs };
  };
  return { direct: leg, toGateway: leg, onward: leg };
}
