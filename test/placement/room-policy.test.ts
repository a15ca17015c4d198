/** The move rule on small worlds whose answer is known. */
import {
  DEFAULT_PARAMETERS,
  HostTable,
  type HostView,
  LatencyMap,
  MigrationCosts,
  placeRoom,
  RoomPolicy,
  type RoomView,
} from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

const host = (hostId: string, change: Partial<HostView> = {}): HostView =>
  hostView(hostId, { capacityRooms: 10, region: "eu", ...change });
const room = (hostId: string | undefined, playerIds: string[]): RoomView => ({
  roomId: "r",
  hostId,
  playerIds,
  carrier: "process",
});

function world(rtts: Record<string, Record<string, number>>): LatencyMap {
  const map = new LatencyMap();
  const hosts = new Set(Object.values(rtts).flatMap((row) => Object.keys(row)));
  for (const hostId of hosts) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
  for (const [playerId, row] of Object.entries(rtts)) {
    map.upsertPlayer({ playerId });
    for (const [hostId, rttMs] of Object.entries(row)) {
      for (let i = 0; i < 4; i++) map.addProbe({ playerId, hostId, atMs: i, rttMs });
    }
  }
  return map;
}

describe("placeRoom", () => {
  it("takes the host in the middle, not the one next to the first player", () => {
    const map = world({ p: { a: 5, m: 50, b: 200 }, q: { a: 200, m: 50, b: 5 } });
    const decision = placeRoom(room(undefined, ["p", "q"]), [host("a"), host("b"), host("m")], map, 0);
    expect(decision).toMatchObject({ verdict: "place", toHostId: "m" });
    expect(decision.candidates.find(({ hostId }) => hostId === "a")?.rejected).toBe("cap");
  });

  it("never takes a host that is full, draining, lost, of another region or without the carrier", () => {
    const map = world({ p: { a: 1, b: 2, c: 3, d: 4, e: 5, f: 90 } });
    const hosts = [
      host("a", { rooms: 10 }),
      host("b", { state: "draining" }),
      host("c", { state: "lost" }),
      host("d", { region: "us" }),
      host("e", { carriers: ["vm"] }),
      host("f"),
    ];
    const decision = placeRoom({ ...room(undefined, ["p"]), allowedRegions: ["eu"] }, hosts, map, 0);
    expect(decision.toHostId).toBe("f");
    expect(decision.candidates.map(({ rejected }) => rejected).sort()).toEqual(
      ["carrier", "draining", "full", "lost", "region", undefined].sort(),
    );
    expect(placeRoom(room(undefined, ["p"]), hosts.slice(0, 3), map, 0)).toMatchObject({
      verdict: "no-host",
    });
  });
});

describe("RoomPolicy", () => {
  it("waits until the regret has paid for the move, then moves", () => {
    const map = world({ p: { a: 100, b: 20 } });
    const policy = new RoomPolicy({ minDwellMs: 0 });
    const at = (atMs: number) =>
      policy.evaluate(room("a", ["p"]), new HostTable(map, [host("a"), host("b")]), atMs);
    expect(at(0)).toMatchObject({ verdict: "stay", reason: "regret-too-small" });
    expect(at(100)).toMatchObject({ verdict: "stay" });
    const moved = at(5_000);
    expect(moved).toMatchObject({ verdict: "move", toHostId: "b" });
    policy.migrated({
      mechanism: "handoff",
      fromHostId: "a",
      toHostId: "b",
      freezeMs: 5,
      degradedMs: 50,
      bytes: 1000,
      atMs: 5_000,
    });
    expect(
      policy.evaluate(room("b", ["p"]), new HostTable(map, [host("a"), host("b")]), 9_000),
    ).toMatchObject({
      verdict: "stay",
      reason: "best",
    });
  });

  it("lets a new room go where it belongs at once, and rests only between two moves", () => {
    const map = world({ p: { a: 100, b: 20, c: 150 } });
    const policy = new RoomPolicy();
    const hosts = new HostTable(map, [host("a"), host("b"), host("c")]);
    const at = (hostId: string, atMs: number) => policy.evaluate(room(hostId, ["p"]), hosts, atMs);
    expect(at("a", 0).reason).toBe("regret-too-small");
    expect(at("a", 1_000)).toMatchObject({ verdict: "move", toHostId: "b" });
    // Somebody has put it elsewhere.
    expect(at("c", 1_100).reason).toBe("dwell");
    expect(at("c", 4_000).reason).toBe("dwell");
    expect(at("c", 4_200)).toMatchObject({ verdict: "move", toHostId: "b" });
  });

  it("learns what moves cost and becomes slower to move", () => {
    const map = world({ p: { a: 100, b: 60 } });
    const cheap = new RoomPolicy({ minDwellMs: 0 });
    const dear = new RoomPolicy({ minDwellMs: 0 });
    dear.migrated({
      mechanism: "handoff",
      fromHostId: "a",
      toHostId: "b",
      freezeMs: 900,
      degradedMs: 900,
      bytes: 0,
      atMs: 0,
    });
    const hosts = new HostTable(map, [host("a"), host("b")]);
    for (const policy of [cheap, dear]) policy.evaluate(room("a", ["p"]), hosts, 0);
    expect(cheap.evaluate(room("a", ["p"]), hosts, 4_000).verdict).toBe("move");
    expect(dear.evaluate(room("a", ["p"]), hosts, 4_000).verdict).toBe("stay");
  });

  it("prices the freeze that most moves of a pair stay below, by the square where it is long", () => {
    const parameters = { ...DEFAULT_PARAMETERS, degradedWeight: 0, bytesWeight: 0 };
    const priceOf = (freezesMs: number[]): number => {
      const costs = new MigrationCosts(parameters);
      const pair = { mechanism: "handoff", fromHostId: "a", toHostId: "b", degradedMs: 0, bytes: 0 };
      for (const freezeMs of freezesMs) costs.learn({ ...pair, freezeMs }, "process");
      const move = { carrier: "process", fromHostId: "a", toHostId: "b", players: 1 };
      return costs.price(move).cost / parameters.freezeWeight;
    };
    // As long as a tick or two it costs its length; four times as long, sixteen times as much.
    expect(priceOf([40])).toBeCloseTo(40, 6);
    expect(priceOf([400])).toBeCloseTo(16 * priceOf([100]), 6);
    // Same mean, but one in six is long.
    expect(priceOf([10, 10, 10, 10, 10, 250])).toBeGreaterThan(5 * priceOf([50, 50, 50, 50, 50, 50]));
  });

  it("leaves draining and lost hosts at once, with the reason", () => {
    const map = world({ p: { a: 10, b: 80 } });
    const policy = new RoomPolicy();
    expect(
      policy.evaluate(room("a", ["p"]), new HostTable(map, [host("a", { state: "draining" }), host("b")]), 0),
    ).toMatchObject({
      verdict: "move",
      reason: "drain",
      toHostId: "b",
    });
    expect(
      policy.evaluate(room("a", ["p"]), new HostTable(map, [host("a", { state: "lost" }), host("b")]), 1),
    ).toMatchObject({ reason: "evacuate" });
  });

  it("does not depend on the order of players or hosts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 5, maxLength: 5 }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.infiniteStream(fc.nat()),
        (matrix, random) => {
          const rtts = Object.fromEntries(
            matrix.map((row, p) => [`p${p}`, Object.fromEntries(row.map((rtt, h) => [`h${h}`, rtt]))]),
          );
          const map = world(rtts);
          const shuffle = <T>(items: T[]): T[] =>
            items
              .map((item) => ({ item, key: random.next().value as number }))
              .sort((a, b) => a.key - b.key)
              .map(({ item }) => item);
          const players = Object.keys(rtts);
          const hosts = Array.from({ length: 5 }, (_, h) => host(`h${h}`));
          const once = placeRoom(room(undefined, players), hosts, map, 0).toHostId;
          const again = placeRoom(room(undefined, shuffle(players)), shuffle(hosts), map, 0).toHostId;
          expect(again).toBe(once);
        },
      ),
    );
  });
});

describe("LatencyMap", () => {
  it.each([
    [Number.NaN, "not-finite"],
    [Number.POSITIVE_INFINITY, "not-finite"],
    [-1, "negative"],
    [1e6, "implausible"],
    [10, "below-geodesic"],
  ])("does not believe a probe of %s ms from the other side of the world", (rttMs, reason) => {
    const map = new LatencyMap();
    map.upsertHost({ hostId: "sydney", latitude: -33.9, longitude: 151.2 });
    map.upsertPlayer({ playerId: "p", latitude: 50.1, longitude: 8.7 });
    expect(map.addProbe({ playerId: "p", hostId: "sydney", atMs: 0, rttMs })).toEqual({
      accepted: false,
      reason,
    });
    expect(map.estimate("p", "sydney").source).toBe("geodesic");
  });

  it("takes a host that answers after half a minute for a far one, and not for one that nobody has measured", () => {
    const map = new LatencyMap();
    map.upsertHost({ hostId: "sydney", latitude: -33.9, longitude: 151.2 });
    map.upsertPlayer({ playerId: "p", latitude: 50.1, longitude: 8.7 });
    const probe = { playerId: "p", hostId: "sydney", atMs: 0, rttMs: 30_000 };
    expect(map.addProbe(probe)).toEqual({ accepted: true, pathChanged: false });
    expect(map.estimate("p", "sydney")).toMatchObject({ source: "measured", p50Ms: 10_000 });
  });

  it("shows a changed path within three probes, and takes noise for noise", () => {
    const map = world({ p: { a: 50 } });
    const probe = (rttMs: number) => map.addProbe({ playerId: "p", hostId: "a", atMs: 9, rttMs });
    for (const rtt of [53, 47, 52, 49]) expect(probe(rtt)).toEqual({ accepted: true, pathChanged: false });
    expect(
      [probe(150), probe(151), probe(149)].map((verdict) => verdict.accepted && verdict.pathChanged),
    ).toEqual([false, false, true]);
    expect(map.estimate("p", "a").p50Ms).toBeCloseTo(150, 0);
  });

  it("estimates what was never measured from coordinates", () => {
    // Hosts on a line, 40 ms apart; players measure the ends and must guess the middle.
    const map = new LatencyMap();
    const line = [0, 40, 80, 120];
    for (const h of line.keys()) map.upsertHost({ hostId: `h${h}`, latitude: 0, longitude: 0 });
    for (let round = 0; round < 60; round++) {
      for (let p = 0; p < 13; p++) {
        map.upsertPlayer({ playerId: `p${p}` });
        line.forEach((at, h) => {
          if (p === 6 && h === 1) return;
          map.addProbe({ playerId: `p${p}`, hostId: `h${h}`, atMs: round, rttMs: Math.abs(p * 10 - at) + 5 });
        });
      }
    }
    const guess = map.estimate("p6", "h1");
    expect(guess.source).toBe("coordinate");
    expect(Math.abs(guess.p50Ms - 25)).toBeLessThan(12);
  });
});
