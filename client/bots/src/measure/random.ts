/** Draws of several kinds, each from a source that can be seeded so that a run can be repeated. */

/** Draws from [0, 1). */
export type Uniform = () => number;

/** The same draws for the same seed; mulberry32, public domain. */
export function seededUniform(seed: number): Uniform {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

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
