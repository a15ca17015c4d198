/** Draws of several kinds, each from a source that can be seeded so that a run can be repeated. */

/** Draws from [0, 1). */
export type Uniform = () => number;

/** @throws RangeError for an empty list */
export function pickOne<T>(items: readonly T[], random: Uniform): T {
  const item = items[Math.floor(random() * items.length)];
  if (item === undefined) throw new RangeError("nothing to pick from");
  return item;
}

/** Exponentially distributed waiting time with the given mean. */
export function exponential(mean: number, random: Uniform): number {
  return -mean * Math.log(1 - random());
}
