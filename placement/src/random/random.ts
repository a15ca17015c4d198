/** Seeded randomness, so that equal seeds give equal runs on every machine. */

export interface Random {
  /** Uniform in [0, 1). */
  next(): number;
  /** Uniform integer in [0, below). */
  below(bound: number): number;
  /** Standard normal. */
  normal(): number;
  shuffled<T>(items: readonly T[]): T[];
}

/** mulberry32 (T. Ettinger): 32 bits of state are plenty for traces of some million draws. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number): number => Math.floor(next() * bound);
  return {
    next,
    below,
    // Box & Muller 1958.
    normal: () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next()),
    shuffled(items) {
      const copy = [...items];
      for (let i = copy.length - 1; i > 0; i--) {
        const j = below(i + 1);
        const kept = copy[i];
        const other = copy[j];
        if (kept === undefined || other === undefined) continue;
        copy[i] = other;
        copy[j] = kept;
      }
      return copy;
    },
  };
}
