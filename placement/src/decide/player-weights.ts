/**
 * How much each player of a room counts, by the messages that pass between them: one from `p` to `q` takes
 * `(r_p + r_q) / 2`. In the mean over all of them a player's round trip counts half by its share of what is said and half by
 * its share of what is seen, so somebody who only watches counts half, and all count 1 where all do the same.
 *
 * Weights follow slowly and in steps: a moment of silence moves no room, and no player counts for more than the ceiling,
 * however much it sends.
 */

import type { RoomView } from "./types.js";

/** No weight is less, or more. */
export const LEAST_WEIGHT = 0.5;
export const MOST_WEIGHT = 3;
/** Weight of the newest report; they come every 5 s, so what is told for 40 s has all but replaced what was before. */
const LEARNING_RATE = 0.12;
/** A change of less is none. */
const NOTABLE_SHARE = 0.2;
/** Where all are within this of 1, all count 1. */
const ALIKE = 0.1;
/** Frames a second that everybody is taken to say and see beside what is counted: a word now and then outweighs nobody. */
const TAKEN_PER_S = 0.5;
const DECIMALS = 100;

/** What passes between a player and the room, in frames a second. */
export interface PlayerTraffic {
  /** Of it, for others to see. */
  says: number;
  /** That it is sent. */
  sees: number;
}

/** Of one room. */
export class PlayerWeights {
  #traffic = new Map<string, PlayerTraffic>();
  #weights: ReadonlyMap<string, number> | undefined;

  /** By player, their mean is 1; undefined where all count the same. The same object until they change. */
  get weights(): ReadonlyMap<string, number> | undefined {
    return this.#weights;
  }

  /**
   * What passed in the last few seconds.
   * @param now by player, all who are in the room
   * @returns whether weights have changed
   */
  report(now: ReadonlyMap<string, PlayerTraffic>): boolean {
    this.#traffic = followed(this.#traffic, now);
    const fresh = weightsOf(this.#traffic);
    let isNews = false;
    let isAlike = true;
    for (const [playerId, weight] of fresh) {
      const before = this.#weights?.get(playerId) ?? 1;
      if (Math.abs(weight - before) > NOTABLE_SHARE * before) isNews = true;
      if (Math.abs(weight - 1) > ALIKE) isAlike = false;
    }
    if (isAlike ? this.#weights === undefined : !isNews) return false;
    this.#weights = isAlike ? undefined : fresh;
    return true;
  }
}

/** A newcomer begins as the others are in the mean: it counts 1. */
function followed(
  before: ReadonlyMap<string, PlayerTraffic>,
  now: ReadonlyMap<string, PlayerTraffic>,
): Map<string, PlayerTraffic> {
  const known = [...now.keys()].flatMap((playerId) => before.get(playerId) ?? []);
  const usual = meanOf(known.length > 0 ? known : [...now.values()]);
  const mix = (old: number, fresh: number): number => old + LEARNING_RATE * (fresh - old);
  const after = new Map<string, PlayerTraffic>();
  for (const [playerId, { says, sees }] of now) {
    const old = before.get(playerId) ?? usual;
    after.set(playerId, { says: mix(old.says, says), sees: mix(old.sees, sees) });
  }
  return after;
}

function meanOf(all: readonly PlayerTraffic[]): PlayerTraffic {
  const count = Math.max(1, all.length);
  const sum = { says: 0, sees: 0 };
  for (const { says, sees } of all) {
    sum.says += says;
    sum.sees += sees;
  }
  return { says: sum.says / count, sees: sum.sees / count };
}

/** Their mean is 1, but for rounding. */
function weightsOf(traffic: ReadonlyMap<string, PlayerTraffic>): Map<string, number> {
  const usual = meanOf([...traffic.values()]);
  const share = (of: number, mean: number): number => (of + TAKEN_PER_S) / (mean + TAKEN_PER_S);
  const bounded = new Map<string, number>();
  let beyond = -traffic.size;
  let upwards = 0;
  let downwards = 0;
  for (const [playerId, { says, sees }] of traffic) {
    const wanted = (share(says, usual.says) + share(sees, usual.sees)) / 2;
    const weight = Math.min(MOST_WEIGHT, Math.max(LEAST_WEIGHT, wanted));
    bounded.set(playerId, weight);
    beyond += weight;
    upwards += MOST_WEIGHT - weight;
    downwards += weight - LEAST_WEIGHT;
  }
  // What the bounds took or gave is shared out among those who have room for it, so that they stay within them.
  for (const [playerId, weight] of bounded) {
    const shift =
      beyond > 0
        ? (-beyond * (weight - LEAST_WEIGHT)) / downwards
        : beyond < 0
          ? (-beyond * (MOST_WEIGHT - weight)) / upwards
          : 0;
    bounded.set(playerId, Math.round((weight + shift) * DECIMALS) / DECIMALS);
  }
  return bounded;
}

/** In the order of the room's players; undefined where all count the same. */
export const weightsInOrder = ({
  weights,
  playerIds,
}: Pick<RoomView, "weights" | "playerIds">): Float64Array | undefined =>
  weights && Float64Array.from(playerIds, (playerId) => weights.get(playerId) ?? 1);

/** Who counts most, and by what that is. */
export function weightText(
  weights: ReadonlyMap<string, number> | undefined,
  playerIds: readonly string[],
): string {
  let most: string | undefined;
  let mostWeight = 1;
  let least = 1;
  for (const playerId of playerIds) {
    const weight = weights?.get(playerId) ?? 1;
    least = Math.min(least, weight);
    if (weight <= mostWeight) continue;
    mostWeight = weight;
    most = playerId;
  }
  if (most === undefined) return "";
  const times = (weight: number): string => `${weight.toFixed(1)}x`;
  return `; ${most} counts ${times(mostWeight)}: so much of what players say and see here passes by it (the least: ${times(least)})`;
}
