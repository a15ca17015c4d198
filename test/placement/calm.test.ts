/** What a freeze costs by what players do just now, and how long a room waits for them to pause. */
import {
  DEFAULT_PARAMETERS,
  HostTable,
  LatencyMap,
  MigrationCosts,
  PlacementWorld,
  type RecordedLine,
  RoomPolicy,
  type RoomView,
  replay,
  type TraceLine,
  type Verdict,
} from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

const rttMs: Record<string, number> = { a: 100, b: 20 };
const receipt = { mechanism: "handoff", fromHostId: "a", toHostId: "b", degradedMs: 0, bytes: 0, atMs: 0 };

/** A room at `a`, 80 ms worse than at `b`, whose moves freeze it for so long; looked at each second. */
function player(freezeMs: number, parameters = {}) {
  const map = new LatencyMap();
  map.upsertPlayer({ playerId: "p" });
  for (const hostId of ["a", "b"]) {
    map.upsertHost({ hostId, latitude: 0, longitude: 0 });
    for (let i = 0; i < 8; i++) map.addProbe({ playerId: "p", hostId, atMs: i, rttMs: rttMs[hostId] ?? 0 });
  }
  const p = { ...DEFAULT_PARAMETERS, capsMs: [], minDwellMs: 0, degradedWeight: 0, ...parameters };
  const costs = new MigrationCosts(p);
  costs.learn({ ...receipt, freezeMs }, "process");
  const policy = new RoomPolicy(p, costs);
  const hosts = new HostTable(map, [hostView("a"), hostView("b")]);
  const room: RoomView = { roomId: "r", hostId: "a", playerIds: ["p"], carrier: "process" };
  return (second: number, activity?: number): Verdict =>
    policy.evaluate({ ...room, ...(activity !== undefined && { activity }) }, hosts, second * 1_000);
}

/** Seconds until it moves. */
function moveAt(
  freezeMs: number,
  activityAt: (second: number) => number | undefined,
  parameters = {},
): number {
  const evaluate = player(freezeMs, parameters);
  for (let second = 0; second < 10_000; second++)
    if (evaluate(second, activityAt(second)).verdict === "move") return second;
  return Number.POSITIVE_INFINITY;
}

describe("a freeze", () => {
  it("costs little while nobody does anything, and more in the middle of a duel", () => {
    const [calm, unknown, duel] = [0, undefined, 1].map((activity) => moveAt(80, () => activity));
    expect(calm).toBeLessThan(unknown!);
    expect(unknown).toBeLessThan(duel!);
  });

  it("is not priced by how lost rooms come back, nor by other carriers' moves", () => {
    const costs = new MigrationCosts(DEFAULT_PARAMETERS);
    const move = { carrier: "process", fromHostId: "a", toHostId: "b", players: 4 };
    const before = costs.price(move);
    costs.learn({ ...receipt, mechanism: "restore", freezeMs: 3_000 }, "process");
    costs.learn({ ...receipt, mechanism: "hybrid", freezeMs: 400 }, "vm");
    expect(costs.price(move)).toEqual(before);
    expect(costs.price({ ...move, carrier: "vm", fromHostId: "c" }).freezeMs).toBe(400);
  });
});

describe("a long freeze in the middle of a duel", () => {
  const eager = { regretFactor: 0.001 };

  it("is put off until the players pause, and says so", () => {
    const evaluate = player(300, eager);
    const waiting = [0, 1, 2, 3, 4, 5].map((second) => evaluate(second, 0.8));
    expect(waiting.at(-1)).toMatchObject({
      verdict: "stay",
      reason: "awaiting-calm",
      toHostId: "b",
      freeze: { expectedMs: 300, activity: 0.8, waitedMs: 4_000 },
    });
    expect(evaluate(6, 0)).toMatchObject({ verdict: "move", reason: "latency", freeze: { waitedMs: 5_000 } });
  });

  it("is put off by nobody if it is short, if nobody acts, or if that is not known", () => {
    expect(moveAt(100, () => 1, eager)).toBeLessThan(2);
    expect(moveAt(300, () => 0, eager)).toBeLessThan(2);
    expect(moveAt(300, () => undefined, eager)).toBeLessThan(3);
  });

  it("is put off for no longer than that costs less than it saves, and for a minute at most", () => {
    // 1.4 x 2000 x 120 ms x 120/50 of freeze for 80 ms: ten seconds.
    const costs = new MigrationCosts({ ...DEFAULT_PARAMETERS, degradedWeight: 0 });
    costs.learn({ ...receipt, freezeMs: 120 }, "process");
    const { cost, calmCost } = costs.price({
      carrier: "process",
      fromHostId: "a",
      toHostId: "b",
      players: 1,
      activity: 0.8,
    });
    const seconds = (cost - calmCost) / 1_000 / 80;
    expect(seconds).toBeLessThan(30);
    const waited = moveAt(120, () => 0.8, eager);
    expect(waited).toBeGreaterThan(seconds - 1);
    expect(waited).toBeLessThan(seconds + 3);
    expect(moveAt(1_000, () => 0.8, eager)).toBeLessThan(70);
  });

  it("costs with waiting at most twice what was best in hindsight", () => {
    fc.assert(
      fc.property(fc.integer({ min: 101, max: 200 }), fc.nat(200), (freezeMs, pausesAt) => {
        const costs = new MigrationCosts({ ...DEFAULT_PARAMETERS, degradedWeight: 0 });
        costs.learn({ ...receipt, freezeMs }, "process");
        const move = { carrier: "process", fromHostId: "a", toHostId: "b", players: 1 };
        const priceOf = (second: number): number =>
          costs.price({ ...move, activity: second < pausesAt ? 1 : 0 }).cost / 1_000;
        const costOf = (second: number): number => second * 80 + priceOf(second);
        // What would have moved at once.
        const start = moveAt(freezeMs, () => 0, eager);
        const at = moveAt(freezeMs, (second) => (second < pausesAt ? 1 : 0), eager);
        const best = Math.min(costOf(start), costOf(Math.max(start, pausesAt)));
        // A second each for the steps in which it is looked at.
        expect(costOf(at)).toBeLessThanOrEqual(2 * best + 2 * 80);
      }),
      { numRuns: 30 },
    );
  });
});

it("replays a wait to the last bit", () => {
  const lines: RecordedLine[] = [];
  let atMs = 0;
  const world = new PlacementWorld(
    { ...DEFAULT_PARAMETERS, initialFreezeMs: 250, regretFactor: 0.001 },
    { record: (line) => lines.push(line), now: () => atMs },
  );
  for (const hostId of ["a", "b"]) world.upsertHost({ hostId, latitude: 0, longitude: 0 }, hostView(hostId));
  world.upsertPlayer({ playerId: "p" });
  for (const hostId of ["a", "b"])
    for (let i = 0; i < 8; i++) world.addProbe({ playerId: "p", hostId, atMs, rttMs: rttMs[hostId] ?? 0 });
  const reasons = [0.7, 0.7, 0.9, undefined, 0.9, 0.9, 0].map((activity) => {
    atMs += 1_000;
    const facts = { roomId: "r", name: "duel", carrier: "process", hostId: "a", playerIds: ["p"] };
    return world.evaluate({ ...facts, ...(activity !== undefined && { activity }) }, atMs).reason;
  });
  expect(reasons).toContain("awaiting-calm");
  const read = lines.map((line) => JSON.parse(JSON.stringify(line)) as TraceLine);
  expect(read.filter(({ type }) => type === "activity")).toHaveLength(5);
  expect(replay(read).difference).toBeUndefined();
  // What players did is an input: without it other decisions are made.
  expect(replay(read.filter(({ type }) => type !== "activity")).difference).toBeDefined();
});
