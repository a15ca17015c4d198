/** Scenarios: the same seed gives the same plans, and every plan makes sense. */
import { loadWorld, SCENARIO_NAMES } from "@centroid/bots";
import { seededRandom } from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { BOT_SCENARIOS } from "../../client/bots/dist/scenarios/scenarios.js";

const world = loadWorld();
const cityIds = new Set(world.cities.map(({ cityId }) => cityId));
const regionOf = (cityId: string) => world.cities.find((c) => c.cityId === cityId)?.region;

describe.each(SCENARIO_NAMES)("%s", (name) => {
  const plan = (players: number, rooms: number, seed: number) =>
    BOT_SCENARIOS[name]({ players, rooms, durationMs: 60_000, world, random: seededRandom(seed).next });

  test("is repeatable and within the run", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.nat(),
        (players, rooms, seed) => {
          const plans = plan(players, rooms, seed);
          expect(plan(players, rooms, seed)).toEqual(plans);
          expect(new Set(plans.map(({ playerId }) => playerId)).size).toBe(players);
          for (const { group, homeCityId, legs, visits } of plans) {
            expect(group).toBeLessThan(rooms);
            expect(cityIds).toContain(homeCityId);
            for (const { cityId } of legs) expect(cityIds).toContain(cityId);
            const times = visits.flatMap(({ fromMs, toMs }) => [fromMs, toMs]);
            expect(times).toEqual([...times].sort((a, b) => a - b));
            expect(times.at(-1)).toBeLessThanOrEqual(60_000);
            const journeys = legs.map(({ atMs }) => atMs);
            expect(journeys).toEqual([...journeys].sort((a, b) => a - b));
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test("another seed gives other plans", () => {
    expect(plan(20, 4, 1)).not.toEqual(plan(20, 4, 2));
  });
});

test("follow-the-sun takes each room's players to another continent on every leg", () => {
  const plans = BOT_SCENARIOS["follow-the-sun"]({
    players: 50,
    rooms: 5,
    durationMs: 60_000,
    world,
    random: seededRandom(1).next,
  });
  for (const { homeCityId, legs } of plans) {
    const route = [homeCityId, ...legs.map(({ cityId }) => cityId)].map(regionOf);
    expect(legs).toHaveLength(3);
    for (let i = 1; i < route.length; i++) expect(route[i]).not.toBe(route[i - 1]);
  }
});

test("follow-the-sun goes on for as long as the run lasts if told how long a leg is", () => {
  const input = {
    players: 24,
    rooms: 4,
    durationMs: 600_000,
    legMs: 6_000,
    world,
    random: seededRandom(1).next,
  };
  const plans = BOT_SCENARIOS["follow-the-sun"](input);
  for (const { legs, visits } of plans) {
    expect(legs).toHaveLength(99);
    expect(legs.at(-1)!.atMs).toBeGreaterThan(590_000);
    expect(legs.at(-1)!.atMs).toBeLessThan(600_000);
    // Everybody is there before the second journey of the first.
    expect(visits).toHaveLength(1);
    expect(visits[0]!.fromMs).toBeLessThan(6_000);
    expect(visits[0]!.toMs).toBe(600_000);
  }
});

test("a crowd arrives at a rate that a broker can seat, a few players at once", () => {
  const arrivals = (players: number): number => {
    const input = { players, rooms: 4, durationMs: 60_000, world, random: seededRandom(1).next };
    return Math.max(...BOT_SCENARIOS.regional(input).map(({ visits }) => visits[0]!.fromMs));
  };
  expect(arrivals(24)).toBeLessThan(6_000);
  expect(arrivals(500)).toBeGreaterThan(9_000);
  expect(arrivals(500)).toBeLessThan(10_000);
  expect(arrivals(5_000)).toBeLessThan(15_000);
});
