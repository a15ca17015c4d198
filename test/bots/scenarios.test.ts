/** Scenarios: the same seed gives the same plans, and every plan makes sense. */
import { loadWorld, SCENARIO_NAMES } from "@centroid/bots";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { seededRandom } from "../../client/bots/dist/measure/random.js";
import { SCENARIOS } from "../../client/bots/dist/scenarios/scenarios.js";

const world = loadWorld();
const cityIds = new Set(world.cities.map(({ cityId }) => cityId));
const regionOf = (cityId: string) => world.cities.find((c) => c.cityId === cityId)?.region;

describe.each(SCENARIO_NAMES)("%s", (name) => {
  const plan = (players: number, rooms: number, seed: number) =>
    SCENARIOS[name]({ players, rooms, durationMs: 60_000, world, random: seededRandom(seed) });

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
  const plans = SCENARIOS["follow-the-sun"]({
    players: 50,
    rooms: 5,
    durationMs: 60_000,
    world,
    random: seededRandom(1),
  });
  for (const { homeCityId, legs } of plans) {
    const route = [homeCityId, ...legs.map(({ cityId }) => cityId)].map(regionOf);
    expect(legs).toHaveLength(3);
    for (let i = 1; i < route.length; i++) expect(route[i]).not.toBe(route[i - 1]);
  }
});
