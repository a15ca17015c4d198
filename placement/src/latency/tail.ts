/**
 * How far p95 lies above p50 on paths that have too few answers to tell. Part of a tail grows with the path and part
 * is the player's own (its machine, its access link) whatever the path; so the share is of the round trip and a
 * constant, and the wobble of a 1 ms path says little of a path of 100 ms.
 */
import { quantile } from "./quantile.js";
import type { WindowList } from "./window-list.js";

/** Fewer answers say nothing of a tail; the player's other paths stand in. */
export const TAIL_ANSWERS = 8;
/** The constant, ms. */
const OWN_MS = 20;

/** What a player's tails are a share of, ms. */
export const tailBaseMs = (rttMs: number): number => rttMs + OWN_MS;

/** The median over the player's well-measured paths: one bad path is not all of them. 0 if there are none. */
export function tailShareOfWindows({ pool, first }: WindowList): number {
  const shares: number[] = [];
  for (let window = first; window >= 0; window = pool.next(window)) {
    if (pool.samples(window) < TAIL_ANSWERS) continue;
    const p50Ms = pool.p50Ms(window);
    shares.push((pool.p95Ms(window) - p50Ms) / tailBaseMs(p50Ms));
  }
  return shares.length === 0
    ? 0
    : quantile(
        shares.sort((a, b) => a - b),
        0.5,
      );
}
