/**
 * A map of latency: nodes in a plane so that distances are round trips, as far as a plane has room for them. Stress
 * weighted by 1/rtt^2, minimised pair by pair (Zheng, Pawar, Goodman: Graph Drawing by SGD, 2018).
 */
import type { RttMatrix } from "../matrix/rtt-matrix.js";
import { seededRandom } from "../random/random.js";

const PASSES = 40;
/** Steps are annealed from where every pair is met in one go to a twentieth of it. */
const LAST_STEP = 0.05;
const LEAST_RTT_MS = 0.5;

/** @returns x, y of each node, ms */
export function embed(slices: readonly RttMatrix[]): Float64Array {
  const size = slices[0]?.size ?? 0;
  const random = seededRandom(1);
  const rtt = (i: number, j: number): number => {
    let sum = 0;
    for (const { rttMs } of slices) sum += (rttMs[i * size + j] ?? 0) + (rttMs[j * size + i] ?? 0);
    return Math.max(LEAST_RTT_MS, sum / (2 * slices.length));
  };
  const pairs: { i: number; j: number; ms: number }[] = [];
  for (let i = 0; i < size; i++) for (let j = 0; j < i; j++) pairs.push({ i, j, ms: rtt(i, j) });
  const most = pairs.reduce((max, { ms }) => Math.max(max, ms), LEAST_RTT_MS);
  const least = pairs.reduce((min, { ms }) => Math.min(min, ms), most);
  const at = Float64Array.from({ length: 2 * size }, () => (random.next() - 0.5) * most);
  // A pair's weight is 1/ms^2; its step is never longer than what meets it.
  const first = most ** 2;
  const last = LAST_STEP * least ** 2;
  for (let pass = 0; pass < PASSES; pass++) {
    const step = first * (last / first) ** (pass / (PASSES - 1));
    for (const { i, j, ms } of random.shuffled(pairs)) {
      const dx = (at[2 * i] ?? 0) - (at[2 * j] ?? 0);
      const dy = (at[2 * i + 1] ?? 0) - (at[2 * j + 1] ?? 0);
      const apart = Math.max(1e-9, Math.hypot(dx, dy));
      const share = (Math.min(1, step / ms ** 2) * (apart - ms)) / 2 / apart;
      at[2 * i] = (at[2 * i] ?? 0) - share * dx;
      at[2 * i + 1] = (at[2 * i + 1] ?? 0) - share * dy;
      at[2 * j] = (at[2 * j] ?? 0) + share * dx;
      at[2 * j + 1] = (at[2 * j + 1] ?? 0) + share * dy;
    }
  }
  return at;
}
