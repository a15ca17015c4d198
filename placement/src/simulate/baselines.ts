/**
 * How others choose a host. All of them are given every player's round trip to every host, which the engine is
 * not: they are judged by their rule, not by what they know.
 */
import { DEFAULT_PARAMETERS } from "../decide/types.js";

/** They choose once, when the room is opened. */
export const BASELINES = [
  "nearest-server",
  "vote",
  "geomedian",
  "mean",
  "minimax",
  "gamelift",
  "greedy-assignment",
] as const;
export type Baseline = (typeof BASELINES)[number];

/** They choose again as the room goes on. */
export const FOLLOWERS = ["core-selection", "request-region"] as const;
export type Follower = (typeof FOLLOWERS)[number];

/** Measured round trips of those present, in order of joining: `rttMs[player * hosts + host]`. */
export interface Measured {
  players: number;
  hosts: number;
  rttMs: Float64Array;
}

/** @returns the index of the chosen host */
export function chooseBaseline(baseline: Baseline, m: Measured): number {
  switch (baseline) {
    // The host nearest to who opened the room: what most games do.
    case "nearest-server":
      return argmin(m.hosts, (h) => at(m, 0, h));
    // Every player votes for its nearest host; of equals, the lower mean.
    case "vote": {
      const votes = new Int32Array(m.hosts);
      for (let p = 0; p < m.players; p++) {
        const nearest = argmin(m.hosts, (h) => at(m, p, h));
        votes[nearest] = (votes[nearest] ?? 0) + 1;
      }
      const most = Math.max(...votes);
      return argmin(m.hosts, (h) => (votes[h] === most ? mean(m, h) : Number.POSITIVE_INFINITY));
    }
    // The host with the least round trip to the player nearest to all others: the geometric median in the
    // space whose axes are the hosts, each player's row of round trips its point.
    case "geomedian": {
      const middle = geometricMedian(m);
      return argmin(m.hosts, (h) => middle[h] ?? Number.POSITIVE_INFINITY);
    }
    case "mean":
      return argmin(m.hosts, (h) => mean(m, h));
    case "minimax":
      return argmin(m.hosts, (h) => worst(m, h));
    // AWS GameLift's player latency policies: the lowest mean among the hosts that keep a cap for everybody, the cap
    // relaxed in stages until one does.
    case "gamelift": {
      const capMs = DEFAULT_PARAMETERS.capsMs.find((cap) => {
        for (let h = 0; h < m.hosts; h++) if (worst(m, h) <= cap) return true;
        return false;
      });
      const allowed = capMs ?? Number.POSITIVE_INFINITY;
      return argmin(m.hosts, (h) => (worst(m, h) <= allowed ? mean(m, h) : Number.POSITIVE_INFINITY));
    }
    // Zhang & Tang (ICDCS 2011) shorten the longest way from one player by their servers to another. A room has one
    // server, so every way is the sum of two round trips to it, and the longest that of the two worst.
    case "greedy-assignment":
      return argmin(m.hosts, (h) => longestWay(m, h));
    default: {
      const never: never = baseline;
      throw new RangeError(`unknown policy ${String(never)}`);
    }
  }
}

const at = (m: Measured, player: number, host: number): number => m.rttMs[player * m.hosts + host] ?? 0;

function mean(m: Measured, host: number): number {
  let sum = 0;
  for (let p = 0; p < m.players; p++) sum += at(m, p, host);
  return sum / Math.max(1, m.players);
}

/**
 * Core selection (Beskow, Vik, Halvorsen, Griwodz: NetGames 2008 and 2009): when the group has changed, its core moves to
 * the node with the least mean latency to its members.
 * @param changed whether somebody came, left or travelled
 */
export function coreSelection(m: Measured, current: number | undefined, changed: boolean): number {
  return current !== undefined && !changed ? current : argmin(m.hosts, (h) => mean(m, h));
}

/** The home of a record follows whoever wrote it last, to the region that its request came from. */
export function requestRegion(m: Measured, writer: number): number {
  return argmin(m.hosts, (h) => at(m, writer, h));
}

function worst(m: Measured, host: number): number {
  let most = 0;
  for (let p = 0; p < m.players; p++) most = Math.max(most, at(m, p, host));
  return most;
}

function longestWay(m: Measured, host: number): number {
  let first = 0;
  let second = 0;
  for (let p = 0; p < m.players; p++) {
    const rttMs = at(m, p, host);
    if (rttMs > first) {
      second = first;
      first = rttMs;
    } else if (rttMs > second) second = rttMs;
  }
  return first + second;
}

/** Of equals the first. */
export function argmin(count: number, value: (index: number) => number): number {
  let best = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const v = value(i);
    if (v < least) {
      least = v;
      best = i;
    }
  }
  return best;
}

const WEISZFELD_PASSES = 50;

/** Weiszfeld 1937: the point with the least summed distance to all players. */
function geometricMedian(m: Measured): Float64Array {
  let point = Float64Array.from({ length: m.hosts }, (_, h) => mean(m, h));
  for (let pass = 0; pass < WEISZFELD_PASSES; pass++) {
    const next = new Float64Array(m.hosts);
    let weights = 0;
    for (let p = 0; p < m.players; p++) {
      let square = 0;
      for (let h = 0; h < m.hosts; h++) square += (at(m, p, h) - (point[h] ?? 0)) ** 2;
      const weight = 1 / Math.max(1e-6, Math.sqrt(square));
      weights += weight;
      for (let h = 0; h < m.hosts; h++) next[h] = (next[h] ?? 0) + weight * at(m, p, h);
    }
    point = next.map((sum) => sum / weights);
  }
  return point;
}
