/** Standard normal numbers that are the same each time: drawing J of a host twice must give the same answer. */
import { seededRandom } from "./random.js";

const SEED = 12_345;
/** A power of two; a search of 24 hosts and 16 players uses three times as many, never one twice for one host. */
const COUNT = 4_096;
/** Apart by primes, so that draws of neighbours are not the same ones. */
const PER_SLOT = 577;
const PER_PLAYER = 131;
const PER_DRAW = 7;

const random = seededRandom(SEED);
const DRAWN = Float64Array.from({ length: COUNT }, () => random.normal());

export const normalDraw = (slot: number, player: number, draw: number): number =>
  DRAWN[(slot * PER_SLOT + player * PER_PLAYER + draw * PER_DRAW) & (COUNT - 1)] ?? 0;
