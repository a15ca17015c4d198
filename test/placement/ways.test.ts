/** Ways through gateways: the shortest of each player, and host and gateways chosen together. */
import {
  bestHostByWays,
  LatencyMap,
  type Legs,
  legsOf,
  type Random,
  seededRandom,
  shortestWay,
} from "@centroid/placement";
import { describe, expect, it } from "vitest";

interface Network {
  players: string[];
  gateways: string[];
  hosts: string[];
  legs: Legs;
}

const ids = (kind: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${kind}${i}`);

/** Round trips at random: any triangle may be violated, and now and then there is no direct way. */
function drawn(random: Random): Network {
  const players = ids("p", 1 + random.below(4));
  const gateways = ids("g", random.below(4));
  const hosts = ids("h", 1 + random.below(4));
  const table = new Map<string, number | undefined>();
  const draw = (from: string[], to: string[], missing: number): void => {
    for (const a of from)
      for (const b of to)
        table.set(`${a} ${b}`, random.next() < missing ? undefined : 1 + 200 * random.next());
  };
  draw(players, hosts, 0.3);
  draw(players, gateways, 0.1);
  draw(gateways, hosts, 0.1);
  const leg = (a: string, b: string) => {
    const rttMs = table.get(`${a} ${b}`);
    return rttMs === undefined ? undefined : { rttMs };
  };
  return { players, gateways, hosts, legs: { direct: leg, toGateway: leg, onward: leg } };
}

const blend = (rttsMs: readonly number[]): number =>
  0.5 * (rttsMs.reduce((sum, ms) => sum + ms, 0) / rttsMs.length) + 0.5 * Math.max(...rttsMs);

/** Every host with every player by every gateway or none. */
function fullSearch({ players, gateways, hosts, legs }: Network): number {
  let least = Number.POSITIVE_INFINITY;
  const choices = gateways.length + 1;
  for (const host of hosts)
    for (let code = 0; code < choices ** players.length; code++) {
      const rtts = players.map((player, i) => {
        const choice = Math.floor(code / choices ** i) % choices;
        if (choice === 0) return legs.direct(player, host)?.rttMs ?? Number.POSITIVE_INFINITY;
        const gateway = gateways[choice - 1] ?? "";
        return (
          (legs.toGateway(player, gateway)?.rttMs ?? Number.POSITIVE_INFINITY) +
          (legs.onward(gateway, host)?.rttMs ?? Number.POSITIVE_INFINITY)
        );
      });
      least = Math.min(least, blend(rtts));
    }
  return least;
}

describe("ways through gateways", () => {
  it("choose host and gateways together as a full search does, on 300 drawn networks", () => {
    const random = seededRandom(11);
    let byGateway = 0;
    for (let i = 0; i < 300; i++) {
      const network = drawn(random);
      const { players, gateways, hosts, legs } = network;
      const best = bestHostByWays(players, hosts, legs, { gatewayIds: gateways }, blend);
      const least = fullSearch(network);
      expect(best?.scoreMs ?? Number.POSITIVE_INFINITY).toBe(least);
      if (best !== undefined && [...best.ways.values()].some((way) => way.gatewayId !== undefined))
        byGateway++;
    }
    expect(byGateway).toBeGreaterThan(100);
  });

  it("stay with the gateway of now unless another way is shorter by more than changing over costs", () => {
    const rtts: Record<string, number> = { "p h": 60, "p g1": 10, "g1 h": 30, "p g2": 12, "g2 h": 20 };
    const leg = (a: string, b: string) => ({ rttMs: rtts[`${a} ${b}`] ?? 999 });
    const legs = { direct: leg, toGateway: leg, onward: leg };
    const options = { gatewayIds: ["g1", "g2"], currentGatewayId: () => "g1" };
    expect(shortestWay("p", "h", legs, { ...options, switchMs: 10 })).toMatchObject({
      gatewayId: "g1",
      rttMs: 40,
    });
    expect(shortestWay("p", "h", legs, { ...options, switchMs: 5 })).toMatchObject({
      gatewayId: "g2",
      rttMs: 32,
    });
    expect(shortestWay("p", "h", legs, { gatewayIds: [] })).toMatchObject({
      gatewayId: undefined,
      rttMs: 60,
    });
  });

  it("take both legs from the latency map, with the error of what is only estimated", () => {
    const map = new LatencyMap();
    const place = { latitude: 0, longitude: 0 };
    for (const hostId of ["near", "far", "gate"]) map.upsertHost({ hostId, ...place });
    for (const playerId of ["p", "gate"]) map.upsertPlayer({ playerId });
    const probe = (playerId: string, hostId: string, rttMs: number): void => {
      for (let i = 0; i < 8; i++) map.addProbe({ playerId, hostId, atMs: i, rttMs });
    };
    probe("p", "far", 120);
    probe("p", "gate", 8);
    probe("gate", "far", 70);
    const way = shortestWay("p", "far", legsOf(map), { gatewayIds: ["gate"] });
    expect(way).toEqual({ rttMs: 78, gatewayId: "gate", errorMs: 0 });
    const estimated = shortestWay("p", "near", legsOf(map), { gatewayIds: ["gate"] });
    expect(estimated?.errorMs).toBeGreaterThan(0);
    expect(shortestWay("p", "nowhere", legsOf(map), { gatewayIds: ["gate"] })).toBeUndefined();
  });
});
