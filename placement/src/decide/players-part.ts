/**
 * What a host is for the players of a room, whatever it costs beside them: it holds as long as none of them has measured
 * anything, so it is kept from one search to the next.
 */
import { type ObjectiveParameters, score, scoreErrorMs } from "./objective.js";
import type { DecisionCandidate } from "./types.js";

export interface PlayersPart extends Pick<DecisionCandidate, "meanMs" | "maxMs" | "errorMs"> {
  /** J without the host's part, ms. */
  playersMs: number;
  /** Players who have measured it, and those of whom nothing but geography is known. */
  measured: number;
  guessed: number;
}

/** @param rtts and `errors` by player; an error is 0 where nothing was measured */
export function playersPart(
  rtts: Float64Array,
  errors: Float64Array,
  known: Pick<PlayersPart, "measured" | "guessed">,
  weights: Float64Array | undefined,
  p: ObjectiveParameters,
): PlayersPart {
  const { scoreMs, meanMs, maxMs } = score(rtts, weights, 0, p);
  return { playersMs: scoreMs, meanMs, maxMs, errorMs: scoreErrorMs(rtts, errors, weights, p), ...known };
}

/** What is known of a host by so many players. */
export function knownOf(
  { measured, guessed }: Pick<PlayersPart, "measured" | "guessed">,
  players: number,
): Pick<DecisionCandidate, "source" | "measuredShare"> {
  return {
    source: sourceOf(players, measured, guessed),
    measuredShare: players === 0 ? 0 : measured / players,
  };
}

function sourceOf(count: number, measured: number, guessed: number): DecisionCandidate["source"] {
  if (guessed === count) return "geodesic";
  if (measured === count) return "measured";
  return measured + guessed === 0 ? "coordinate" : "mixed";
}
