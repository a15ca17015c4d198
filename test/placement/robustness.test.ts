/** What must hold for any room: geometry, lies, noise. Worlds are drawn, answers are derived, not recorded. */
import {
  DEFAULT_PARAMETERS,
  HostTable,
  type HostView,
  LatencyMap,
  placeRoom,
  RoomPolicy,
  type RoomRun,
  type RoomView,
  type RttMatrix,
  simulate,
} from "@centroid/placement";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

type Point = readonly [number, number];
const point = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 300 }));
const points = (minLength: number, maxLength: number) =>
  fc.uniqueArray(point, { minLength, maxLength, selector: ([x, y]) => x * 1000 + y });
const rtt = ([ax, ay]: Point, [bx, by]: Point): number => 1 + Math.hypot(ax - bx, ay - by);

const views = (count: number): HostView[] => Array.from({ length: count }, (_, h) => hostView(`h${h}`));

/** Every pair measured, without noise: `rtts[player][host]`. */
function measured(rtts: readonly (readonly number[])[]): LatencyMap {
  const map = new LatencyMap();
  rtts[0]?.forEach((_, h) => {
    map.upsertHost({ hostId: `h${h}`, latitude: 0, longitude: 0 });
  });
  rtts.forEach((row, p) => {
    map.upsertPlayer({ playerId: `p${p}` });
    row.forEach((rttMs, h) => {
      for (let i = 0; i < 3; i++) map.addProbe({ playerId: `p${p}`, hostId: `h${h}`, atMs: i, rttMs });
    });
  });
  return map;
}
const room = (players: number, hostId?: string): RoomView => ({
  roomId: "r",
  hostId,
  playerIds: Array.from({ length: players }, (_, p) => `p${p}`),
  carrier: "process",
});
const table = (players: readonly Point[], hosts: readonly Point[]) =>
  players.map((player) => hosts.map((host) => rtt(player, host)));

describe("a room", () => {
  it("is not driven away by a player who sits at its host", () => {
    fc.assert(
      fc.property(points(1, 8), points(2, 6), (players, hosts) => {
        const rtts = table(players, hosts);
        const home = placeRoom(room(players.length), views(hosts.length), measured(rtts), 0).toHostId;
        const there = hosts[Number(home?.slice(1))];
        if (home === undefined || there === undefined) throw new Error("not placed");
        const map = measured([...rtts, ...table([there], hosts)]);
        const policy = new RoomPolicy();
        for (let step = 0; step < 120; step++) {
          const decision = policy.evaluate(
            room(players.length + 1, home),
            new HostTable(map, views(hosts.length)),
            step * 1000,
          );
          expect(decision.verdict).toBe("stay");
        }
      }),
      { numRuns: 60 },
    );
  });

  it("sees all scores scale when all round trips scale", () => {
    fc.assert(
      fc.property(points(1, 8), points(2, 6), fc.constantFrom(0.25, 0.5, 2, 4), (players, hosts, factor) => {
        const rtts = table(players, hosts);
        const scaled = rtts.map((row) => row.map((ms) => ms * factor));
        const at = (map: LatencyMap) =>
          placeRoom(room(players.length), views(hosts.length), map, 0, { capsMs: [] });
        const before = at(measured(rtts));
        const after = at(measured(scaled));
        expect(after.toHostId).toBe(before.toHostId);
        for (const { hostId, scoreMs } of before.candidates)
          expect(after.candidates.find((c) => c.hostId === hostId)?.scoreMs).toBeCloseTo(scoreMs * factor, 6);
      }),
      { numRuns: 100 },
    );
  });

  it("is moved by a liar no farther than the liar's weight", () => {
    const claims = fc.array(fc.integer({ min: 0, max: 9_000 }), { minLength: 6, maxLength: 6 });
    fc.assert(
      fc.property(points(2, 10), points(2, 6), claims, (players, hosts, lies) => {
        const honest = table(players, hosts);
        const all = [...honest, hosts.map((_, h) => lies[h] ?? 0)];
        const n = all.length;
        const chosen = Number(
          placeRoom(room(n), views(hosts.length), measured(all), 0, {
            capsMs: [],
            objective: "mean",
          }).toHostId?.slice(1),
        );
        const mean = (h: number) => honest.reduce((sum, row) => sum + (row[h] ?? 0), 0) / (n - 1);
        const best = Math.min(...hosts.map((_, h) => mean(h)));
        const reach = Math.max(...lies.slice(0, hosts.length)) - Math.min(...lies.slice(0, hosts.length));
        expect(mean(chosen)).toBeLessThanOrEqual(best + reach / (n - 1) + 1e-6);
      }),
      { numRuns: 100 },
    );
  });

  // With a = worstWeight, n players and c, b the chosen and the best host of the honest: J(c) <= J(b) of all n gives
  // (1-a)(n-1)/n (mean c - mean b) + a (max c - max b) <= (1-a)/n reach + a max(0, lie at b - max b),
  // reach = largest - least lie. A lie within what the honest see has the weight of one player, 1/n; above it, a.
  it("is moved by a liar no farther than the liar's weight in the default objective", () => {
    const claims = fc.array(fc.integer({ min: 0, max: 2_000 }), { minLength: 6, maxLength: 6 });
    const a = DEFAULT_PARAMETERS.worstWeight;
    fc.assert(
      fc.property(points(2, 10), points(2, 6), claims, (players, hosts, claimed) => {
        const lies = claimed.slice(0, hosts.length);
        const honest = table(players, hosts);
        const all = [...honest, lies];
        const n = all.length;
        const chosen = Number(
          placeRoom(room(n), views(hosts.length), measured(all), 0, { capsMs: [] }).toHostId?.slice(1),
        );
        const column = (h: number) => honest.map((row) => row[h] ?? 0);
        const max = (h: number) => Math.max(...column(h));
        const weighed = (h: number) =>
          ((1 - a) * column(h).reduce((sum, rttMs) => sum + rttMs, 0)) / n + a * max(h);
        const reach = Math.max(...lies) - Math.min(...lies);
        hosts.forEach((_, b) => {
          const above = Math.max(0, (lies[b] ?? 0) - max(b));
          expect(weighed(chosen) - weighed(b)).toBeLessThanOrEqual(((1 - a) / n) * reach + a * above + 1e-6);
        });
      }),
      { numRuns: 100 },
    );
  });

  it("cannot be lured by a claim that light forbids", () => {
    const map = new LatencyMap();
    map.upsertHost({ hostId: "h0", latitude: -33.9, longitude: 151.2 });
    map.upsertPlayer({ playerId: "p0", latitude: 50.1, longitude: 8.7 });
    expect(map.addProbe({ playerId: "p0", hostId: "h0", atMs: 0, rttMs: 3 })).toEqual({
      accepted: false,
      reason: "below-geodesic",
    });
  });

  it("moves at most once in 10,000 steps of 10 % noise", { timeout: 180_000 }, () => {
    for (let seed = 1; seed <= 4; seed++) {
      const random = lcg(seed);
      const players = Array.from({ length: 5 }, (): Point => [random() * 300, random() * 300]);
      const hosts = Array.from({ length: 4 }, (): Point => [random() * 300, random() * 300]);
      // Two hosts that are nearly equal are the hardest case.
      hosts.push([(hosts[0]?.[0] ?? 0) + 3, hosts[0]?.[1] ?? 0]);
      const rtts = table(players, hosts);
      const map = measured(rtts);
      const policy = new RoomPolicy({ capsMs: [] });
      const all = new HostTable(map, views(hosts.length));
      let hostId = "h0";
      let moves = 0;
      for (let step = 0; step < 10_000; step++) {
        const atMs = step * 1_000;
        rtts.forEach((row, p) => {
          row.forEach((rttMs, h) => {
            map.addProbe({
              playerId: `p${p}`,
              hostId: `h${h}`,
              atMs,
              rttMs: rttMs * Math.max(0.2, 1 + 0.1 * gauss(random)),
            });
          });
        });
        const decision = policy.evaluate(room(players.length, hostId), all, atMs);
        if (decision.verdict !== "move" || decision.toHostId === undefined) continue;
        policy.migrated({
          mechanism: "handoff",
          fromHostId: hostId,
          toHostId: decision.toHostId,
          freezeMs: 10,
          degradedMs: 100,
          bytes: 0,
          atMs,
        });
        hostId = decision.toHostId;
        moves++;
      }
      expect(moves, `seed ${seed}`).toBeLessThanOrEqual(1);
    }
  });
});

describe("on 1,000 random traces", () => {
  const WORLDS = 20;
  const MOVE_COST = 1_500;
  const runs: { centroid: number; better: number }[] = [];
  beforeAll(() => {
    for (let world = 1; world <= WORLDS; world++) {
      const costs = new Map<string, number>();
      const of = (room: number, policy: string) => costs.get(`${policy} ${room}`) ?? Number.NaN;
      const rooms = 1_000 / WORLDS;
      simulate(
        [plane(world, 40)],
        {
          hosts: 6,
          rooms,
          minPlayers: 2,
          maxPlayers: 5,
          steps: 60,
          seed: world,
          migrationCost: MOVE_COST,
          policies: ["greedy", "never", "centroid"],
        },
        {},
        (run) => costs.set(`${run.policy} ${run.room}`, trueCost(run)),
      );
      for (let room = 0; room < rooms; room++)
        runs.push({
          centroid: of(room, "centroid"),
          better: Math.min(of(room, "greedy"), of(room, "never")),
        });
    }
  }, 180_000);

  // No rule that does not know the future keeps 1.2 alone: players who return as soon as the room has followed them
  // cost it the way there and back, whatever the trace was worth so far, while a room that never moves pays nothing.
  it("costs at most 1.2 times the better of greedy and never, and a move there and back", () => {
    expect(runs).toHaveLength(1_000);
    for (const { centroid, better } of runs)
      expect(centroid).toBeLessThanOrEqual(1.2 * better + 2 * MOVE_COST);
  });

  it("costs at most 1.2 times the better of the two on 97 of 100, and less than it in the mean", () => {
    expect(runs.filter(({ centroid, better }) => centroid > 1.2 * better).length).toBeLessThanOrEqual(30);
    const sum = (of: (run: (typeof runs)[number]) => number) => runs.reduce((all, run) => all + of(run), 0);
    expect(sum(({ centroid }) => centroid)).toBeLessThan(sum(({ better }) => better));
  });

  /** ms.player of the whole way, by the raw matrix, moves included. */
  function trueCost({ path, table: { hosts, costs } }: RoomRun): number {
    let cost = 0;
    path.forEach((host, step) => {
      cost += costs[step * hosts + host] ?? Number.NaN;
      if (step > 0 && host !== path[step - 1]) cost += MOVE_COST;
    });
    return cost;
  }
});

/** Nodes in a plane, each with a last mile. */
function plane(seed: number, size: number): RttMatrix {
  const random = lcg(seed);
  const at = Array.from({ length: size }, () => ({
    x: random() * 200,
    y: random() * 200,
    mile: 2 + random() * 8,
  }));
  const rttMs = new Float64Array(size * size);
  at.forEach((a, i) => {
    at.forEach((b, j) => {
      rttMs[i * size + j] = i === j ? 0.1 : Math.hypot(a.x - b.x, a.y - b.y) + a.mile + b.mile;
    });
  });
  return { size, labels: at.map((_, i) => `n${i}`), rttMs };
}

/** Lehmer 1951, modulus 2^31 - 1. */
function lcg(seed: number): () => number {
  let state = seed * 7_919 + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
const gauss = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
