/** What a player will do: where it is when, and when it plays. Made before the run, from a seed. */
import type { Uniform } from "../measure/random.js";
import type { City } from "../world/cities.js";
import type { EmulatedWorld } from "../world/world.js";

export interface PlayerPlan {
  readonly playerId: string;
  /** Players of one group play in one room. */
  readonly group: number;
  readonly homeCityId: string;
  /** Journeys in order of time. */
  readonly legs: readonly { readonly atMs: number; readonly cityId: string }[];
  /** Times in the room, in order. */
  readonly visits: readonly { readonly fromMs: number; readonly toMs: number }[];
}

export interface ScenarioInput {
  readonly players: number;
  readonly rooms: number;
  readonly durationMs: number;
  /** Between a player's journeys in `follow-the-sun`; if not given, three journeys are spread over the run. */
  readonly legMs?: number | undefined;
  readonly world: EmulatedWorld;
  readonly random: Uniform;
}

export type BotScenario = (input: ScenarioInput) => PlayerPlan[];

/** Regions in the order the sun reaches them. Africa's evening is Europe's. */
const SUN_ORDER: readonly (readonly City["region"][])[] = [
  ["asia"],
  ["europe", "africa"],
  ["south-america"],
  ["north-america"],
  ["oceania"],
];

/** Cities of the region that is `step` sun steps west of the first. */
export function regionAt(world: EmulatedWorld, step: number): City[] {
  const regions = SUN_ORDER[step % SUN_ORDER.length] ?? [];
  return world.cities.filter((city) => regions.includes(city.region));
}

/** Joining all at once measures the join path, not the game. */
const ARRIVALS_PER_SECOND = 50;
/** Newcomers arrive within at least, and at most, this share of the run, or of its first journeys. */
const MIN_RAMP_SHARE = 0.1;
const MAX_RAMP_SHARE = 0.25;

/** Journeys of a player in a run that does not say how long they are. */
export const USUAL_LEGS = 3;

export const playerIdOf = (index: number): string => `bot-${index}`;

/** A time within the first part of the run. */
export function rampMs({ players, durationMs, legMs = durationMs, random }: ScenarioInput): number {
  const spanMs = Math.min(durationMs, legMs * (USUAL_LEGS + 1));
  const neededMs = (players / ARRIVALS_PER_SECOND) * 1000;
  return random() * Math.min(MAX_RAMP_SHARE * spanMs, Math.max(MIN_RAMP_SHARE * spanMs, neededMs));
}
