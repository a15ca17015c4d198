/**
 * What a host is for the players of a room, whatever it costs beside them: it holds as long as none of them has measured
 * anything, so it is kept from one search to the next.
 */
import { type ObjectiveParameters, score, scoreErrorMs } from "./objective.js";
import type { DecisionCandidate } from "./types.js";

export interface PlayersPart
  extends Pick<DecisionCandidate, "meanMs" | "maxMs" | "errorMs" | "source" | "measuredShare"> {
  /** J without the host's part, ms. */
  playersMs: number;
  /** How many fits of players it is of. */
  fits: number;
}

interface Known {
  /** Players who have measured it, and those of whom nothing but geography is known. */
  measured: number;
  guessed: number;
  fits: number;
}

/** @param rtts and `errors` by player; an error is 0 where nothing was measured */
export function playersPart(
  rtts: Float64Array,
  errors: Float64Array,
  { measured, guessed, fits }: Known,
  weights: Float64Array | undefined,
  p: ObjectiveParameters,
): PlayersPart {
  const count = rtts.length;
  const { scoreMs, meanMs, maxMs } = score(rtts, weights, 0, p);
  return {
    playersMs: scoreMs,
    meanMs,
    maxMs,
    errorMs: scoreErrorMs(rtts, errors, weights, p),
    source: sourceOf(count, measured, guessed),
    measuredShare: count === 0 ? 0 : measured / count,
    fits,
  };
}

function sourceOf(count: number, measured: number, guessed: number): DecisionCandidate["source"] {
  if (guessed === count) return "geodesic";
  if (measured === count) return "measured";
  return measured + guessed === 0 ? "coordinate" : "mixed";
}
