/** The scenarios: each turns players, rooms and a seed into plans. */
import { exponential, pickOne } from "../measure/random.js";
import {
  type BotScenario,
  type PlayerPlan,
  playerIdOf,
  rampMs,
  regionAt,
  type ScenarioInput,
  USUAL_LEGS,
} from "./plan.js";

type Maker = (group: number, index: number) => Omit<PlayerPlan, "playerId" | "group">;

/** Players are dealt to rooms in turn. */
function deal({ players, rooms }: ScenarioInput, make: Maker): PlayerPlan[] {
  return Array.from({ length: players }, (_, i) => {
    const group = i % rooms;
    return { playerId: playerIdOf(i), group, ...make(group, Math.floor(i / rooms)) };
  });
}

/** Each room's players live in one part of the world and stay there. */
const regional: BotScenario = (input) =>
  deal(input, (group) => ({
    homeCityId: pickOne(regionAt(input.world, group), input.random).cityId,
    legs: [],
    visits: [{ fromMs: rampMs(input), toMs: input.durationMs }],
  }));

/** Each room's players go west, one by one, from evening to evening; the room should follow. */
const followTheSun: BotScenario = (input) => {
  const { world, random, durationMs, legMs = durationMs / (USUAL_LEGS + 1) } = input;
  const legs = Math.max(0, Math.ceil(durationMs / legMs) - 1);
  return deal(input, (group) => ({
    homeCityId: pickOne(regionAt(world, group), random).cityId,
    legs: Array.from({ length: legs }, (_, leg) => ({
      // Half a leg of spread: the room's middle wanders instead of jumping.
      atMs: legMs * (leg + 0.4 + random() / 2),
      cityId: pickOne(regionAt(world, group + leg + 1), random).cityId,
    })),
    visits: [{ fromMs: rampMs(input), toMs: durationMs }],
  }));
};

/** Each room lives in a city; two thirds of its players go to another one and come back. */
const commute: BotScenario = (input) => {
  const { world, random, durationMs } = input;
  const lines = Array.from({ length: input.rooms }, (_, group) => ({
    from: pickOne(regionAt(world, group), random).cityId,
    to: pickOne(regionAt(world, group + 1), random).cityId,
  }));
  return deal(input, (group, index) => {
    const { from, to } = lines[group] ?? { from: "frankfurt", to: "virginia" };
    const travels = index % 3 !== 0;
    return {
      homeCityId: from,
      legs: travels
        ? [
            { atMs: durationMs * (0.25 + random() * 0.1), cityId: to },
            { atMs: durationMs * (0.6 + random() * 0.1), cityId: from },
          ]
        : [],
      visits: [{ fromMs: rampMs(input), toMs: durationMs }],
    };
  });
};

/** Players come and go all the time, mostly from the room's part of the world. */
const churn: BotScenario = (input) => {
  const { world, random, durationMs } = input;
  const place = (group: number) =>
    random() < 0.7 ? pickOne(regionAt(world, group), random).cityId : pickOne(world.cities, random).cityId;
  return deal(input, (group) => {
    const legs: { atMs: number; cityId: string }[] = [];
    const visits: { fromMs: number; toMs: number }[] = [];
    for (let atMs = rampMs(input); atMs < durationMs * 0.95; ) {
      const toMs = Math.min(durationMs, atMs + durationMs * 0.05 + exponential(durationMs / 6, random));
      visits.push({ fromMs: atMs, toMs });
      const backMs = toMs + exponential(durationMs / 20, random);
      legs.push({ atMs: (toMs + backMs) / 2, cityId: place(group) });
      atMs = backMs;
    }
    return { homeCityId: place(group), legs, visits };
  });
};

/** A few players far away, then a crowd from elsewhere arrives within seconds, and leaves again. */
const crowd: BotScenario = (input) => {
  const { world, random, durationMs } = input;
  return deal(input, (group, index) => {
    const early = index % 5 === 0;
    const home = regionAt(world, early ? group : group + 2);
    return {
      homeCityId: pickOne(home, random).cityId,
      legs: [],
      visits: early
        ? [{ fromMs: rampMs(input), toMs: durationMs }]
        : [{ fromMs: durationMs * (0.35 + 0.05 * random()), toMs: durationMs * (0.8 + 0.05 * random()) }],
    };
  });
};

export const BOT_SCENARIOS = {
  regional,
  "follow-the-sun": followTheSun,
  commute,
  churn,
  crowd,
  vision: commute,
} as const satisfies Record<string, BotScenario>;
export type ScenarioName = keyof typeof BOT_SCENARIOS;
export const SCENARIO_NAMES = Object.keys(BOT_SCENARIOS) as ScenarioName[];
