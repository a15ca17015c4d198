/** What a host is measured by: work as of recognition (dot products of floats) and of game code (integers, branches). */

const SIZE = 48;
/** Rounds per ms of one core of the reference machine (a virtual one of an AMD EPYC, Node 20). */
export const REFERENCE_ROUNDS_PER_MS = 1.7;

/** One round, some tenths of a ms. @returns something that depends on all of it, so that nothing is left out */
function makeRound(): () => number {
  const a = Float32Array.from({ length: SIZE * SIZE }, (_, i) => (i % 17) / 17);
  const b = Float32Array.from({ length: SIZE * SIZE }, (_, i) => (i % 13) / 13);
  const c = new Float32Array(SIZE * SIZE);
  return () => {
    for (let i = 0; i < SIZE; i++)
      for (let j = 0; j < SIZE; j++) {
        let sum = 0;
        for (let k = 0; k < SIZE; k++) sum += (a[i * SIZE + k] ?? 0) * (b[j * SIZE + k] ?? 0);
        c[i * SIZE + j] = sum;
      }
    let hash = 0;
    for (let i = 0; i < SIZE * SIZE * 8; i++) {
      hash = Math.imul(hash ^ i, 0x9e3779b1) ^ (hash >>> 15);
      if ((hash & 7) === 0) hash += i;
    }
    return hash + (c[hash & 1023] ?? 0);
  };
}

/** Rounds per ms, for so long. */
export function measureRounds(forMs: number, now: () => number): number {
  const round = makeRound();
  const start = now();
  let rounds = 0;
  let kept = 0;
  let elapsedMs = 0;
  do {
    kept += round();
    rounds++;
    elapsedMs = now() - start;
  } while (elapsedMs < forMs);
  return Number.isFinite(kept) ? rounds / elapsedMs : 0;
}
