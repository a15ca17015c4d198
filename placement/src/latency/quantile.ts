/** The one definition of a quantile that everything here reports by. */

/** Linear interpolation between order statistics (Hyndman & Fan 1996, type 7). */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const lower = sorted[low] ?? Number.NaN;
  const upper = sorted[Math.min(low + 1, sorted.length - 1)] ?? lower;
  return lower + (at - low) * (upper - lower);
}

/** The same of values in any order. */
export function quantileOf(values: Iterable<number>, share: number): number {
  return quantile(Float64Array.from(values).sort(), share);
}
