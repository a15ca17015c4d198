/** Players between whom more passes count more, within bounds, slowly; where all do the same nothing changes. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  DEFAULT_PARAMETERS,
  LEAST_WEIGHT,
  MOST_WEIGHT,
  PlacementWorld,
  type PlayerTraffic,
  PlayerWeights,
  type RecordedLine,
  readRttMatrix,
  replay,
  simulateTalkers,
  type TraceLine,
} from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

const SEES = 20;
const room = (says: readonly number[]): Map<string, PlayerTraffic> =>
  new Map(says.map((perSecond, i) => [`p${i}`, { says: perSecond, sees: SEES }]));
function after(reports: number, says: readonly number[], weights = new PlayerWeights()): PlayerWeights {
  for (let i = 0; i < reports; i++) weights.report(room(says));
  return weights;
}
const SETTLED = 60;

describe("weights", () => {
  it("are a message's way, in the mean over all messages and all who see them", () => {
    const { weights } = after(SETTLED, [25, 25, 25, 5, 5, 5]);
    // Half by what it says, half by what it sees.
    expect(weights?.get("p0")).toBeCloseTo(0.5 + 0.5 * (25 / 15), 0);
    expect(weights?.get("p5")).toBeCloseTo(0.5 + 0.5 * (5 / 15), 0);
  });

  it("stay within their bounds with a mean of 1, whatever is told", () => {
    const perSecond = fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true }));
    const traffic = fc.record({ says: perSecond, sees: perSecond });
    const report = fc.dictionary(fc.constantFrom(..."abcdefghijkl"), traffic, { minKeys: 1 });
    fc.assert(
      fc.property(fc.array(report, { minLength: 1, maxLength: 8 }), (reports) => {
        const weights = new PlayerWeights();
        for (const one of reports) {
          const before = weights.weights;
          const isNews = weights.report(new Map(Object.entries(one)));
          expect(weights.weights !== before).toBe(isNews);
          if (!isNews || weights.weights === undefined) continue;
          const all = [...weights.weights.values()];
          expect(Math.min(...all)).toBeGreaterThanOrEqual(LEAST_WEIGHT);
          expect(Math.max(...all)).toBeLessThanOrEqual(MOST_WEIGHT);
          expect(all.reduce((sum, weight) => sum + weight, 0) / all.length).toBeCloseTo(1, 1);
        }
      }),
    );
  });

  it("are none where all say and see the same, also the least or the most", () => {
    for (const says of [0, 0.01, 1, 20, 1e6])
      expect(after(SETTLED, Array(7).fill(says)).weights).toBe(undefined);
  });

  it("outlast a moment of silence, and go when it lasts", () => {
    const weights = after(SETTLED, [20, 0, 0, 0, 20, 0]);
    const weightOf = (playerId: string): number => weights.weights?.get(playerId) ?? 1;
    const before = weightOf("p0");
    expect(before).toBeGreaterThan(1.5);
    after(2, [0, 0, 0, 0, 20, 0], weights);
    expect(weightOf("p0")).toBeGreaterThan(0.9 * before);
    // When all are silent, they count as they did.
    const talking = weights.weights;
    expect(after(3, [0, 0, 0, 0, 0, 0], weights).weights).toBe(talking);
    expect(after(SETTLED, [0, 0, 0, 0, 20, 0], weights).weights?.get("p0")).toBeLessThan(0.8);
    expect(after(SETTLED, [5, 5, 5, 5, 5, 5], weights).weights).toBe(undefined);
  });

  it("are not made by a word now and then", () => {
    expect(after(1, [0.2, 0, 0, 0, 0, 0, 0, 0]).weights).toBe(undefined);
  });

  it("let a newcomer count 1, and forget who has left", () => {
    const weights = after(SETTLED, [20, 0, 0, 0]);
    weights.report(room([20, 0, 0, 0, 10]));
    expect(weights.weights?.get("p4") ?? 1).toBeLessThan(1.5);
    after(SETTLED, [1, 1], weights);
    expect(weights.weights).toBe(undefined);
  });
});

const HOSTS = ["a", "b"];

/** Players p0 to pn at `a` or at `b`, 100 ms apart. */
function worldOf(at: readonly string[], lines?: RecordedLine[]) {
  let now = 0;
  const recording = lines && { record: (line: RecordedLine) => void lines.push(line), now: () => now };
  const world = new PlacementWorld({ ...DEFAULT_PARAMETERS, capsMs: [], worstWeight: 0 }, recording);
  for (const hostId of HOSTS) world.upsertHost({ hostId, latitude: 0, longitude: 0 }, hostView(hostId));
  const playerIds = at.map((home, i) => {
    const playerId = `p${i}`;
    world.upsertPlayer({ playerId });
    for (const hostId of HOSTS)
      for (let ping = 0; ping < 8; ping++)
        world.addProbe({ playerId, hostId, atMs: 0, rttMs: hostId === home ? 10 : 110 });
    return playerId;
  });
  const facts = { roomId: "r", name: "arena", carrier: "process", hostId: "a", playerIds };
  return {
    world,
    facts,
    evaluate(weights: ReadonlyMap<string, number> | undefined) {
      now += 1_000;
      return world.evaluate({ ...facts, ...(weights !== undefined && { weights }) }, now);
    },
  };
}

describe("a room", () => {
  it("goes to those who say most, and `why` names the one who counts most", () => {
    const { world, facts, evaluate } = worldOf(["a", "a", "a", "b", "b"]);
    const { weights } = after(SETTLED, [0, 0, 0, 20, 20]);
    expect(evaluate(undefined)).toMatchObject({ reason: "best", fromHostId: "a" });
    evaluate(weights);
    const verdict = evaluate(weights);
    expect(verdict).toMatchObject({ verdict: "move", toHostId: "b" });
    expect(world.explain(verdict, { ...facts, weights }).text).toMatch(
      /; p3 counts 1\.[67]x: .*least: 0\.[56]x/,
    );
    expect(world.explain(verdict, facts).text).not.toContain("counts");
  });

  it("is not dragged away by one who floods it", () => {
    const { evaluate } = worldOf([...Array(8).fill("a"), "b"]);
    const { weights } = after(SETTLED, [...Array(8).fill(1), 1e9]);
    expect(weights?.get("p8")).toBeLessThanOrEqual(MOST_WEIGHT);
    for (let i = 0; i < 100; i++)
      expect(evaluate(weights)).toMatchObject({ verdict: "stay", reason: "best" });
  });

  it("replays with its weights to the last bit, and not without", () => {
    const lines: RecordedLine[] = [];
    const { evaluate } = worldOf(["a", "a", "a", "b", "b"], lines);
    const weights = new PlayerWeights();
    for (const says of [1, 1, 20, 20, 0, 20, 20, 20, 1, 1, 1, 1, 1, 1, 1, 1]) {
      weights.report(room([1, 1, 1, says, says / 3]));
      evaluate(weights.weights);
    }
    const read = lines.map((line) => JSON.parse(JSON.stringify(line)) as TraceLine);
    expect(read.filter(({ type }) => type === "weights").length).toBeGreaterThan(1);
    expect(replay(read).difference).toBeUndefined();
    expect(replay(read.filter(({ type }) => type !== "weights")).difference).toBeDefined();
  });
});

describe("simulated rooms on measured round trips", async () => {
  const path = join(import.meta.dirname, "../../data/planetlab-rtt-1.csv");
  const slice = readRttMatrix(await readFile(path, "utf8"), path);
  const SHORT = { rooms: 12, steps: 60, hosts: 16 };

  it("bring messages sooner where some players say nearly everything", () => {
    // By the mean alone, since what the worst-off player waits is the same for both.
    const options = { ...SHORT, talkers: 0.15, seed: 91, minPlayers: 6 };
    const [equal, weighted] = simulateTalkers([slice], options, { objective: "mean" });
    expect(weighted!.messageMs).toBeLessThan(0.995 * equal!.messageMs);
  });

  it("go the same way where all say the same", () => {
    fc.assert(
      fc.property(fc.constantFrom(0, 1), fc.nat(1_000), (talkers, seed) => {
        const [equal, weighted] = simulateTalkers([slice], { ...SHORT, rooms: 2, talkers, seed });
        expect({ ...weighted, policy: "" }).toEqual({ ...equal, policy: "" });
      }),
      { numRuns: 6 },
    );
  });
});
