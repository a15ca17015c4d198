/** Which hosts stand for all. */

/** Farther than any two hosts are. */
const UNREACHED_MS = 1_000;

/**
 * Each the one that brings all hosts nearest to a chosen one (greedy k-median), so that a newcomer who measures
 * the first few is placed anywhere. Far-off hosts that stand only for themselves come late.
 * @param hosts their slots
 * @param apartMs how far two hosts, by slot, are from each other
 */
export function greedyMedian(
  hosts: ReadonlyMap<string, number>,
  apartMs: (slot: number, other: number) => number,
  count: number,
): string[] {
  const all = [...hosts.entries()].sort(([a], [b]) => (a < b ? -1 : 1));
  const nearest = new Float64Array(all.length).fill(UNREACHED_MS);
  const chosen: string[] = [];
  while (chosen.length < Math.min(count, all.length)) {
    let best: { id: string; slot: number; sumMs: number } | undefined;
    for (const [id, slot] of all) {
      if (chosen.includes(id)) continue;
      let sumMs = 0;
      for (let i = 0; i < all.length; i++)
        sumMs += Math.min(nearest[i] ?? 0, apartMs(slot, all[i]?.[1] ?? 0));
      if (best === undefined || sumMs < best.sumMs) best = { id, slot, sumMs };
    }
    if (best === undefined) break;
    chosen.push(best.id);
    for (let i = 0; i < all.length; i++)
      nearest[i] = Math.min(nearest[i] ?? 0, apartMs(best.slot, all[i]?.[1] ?? 0));
  }
  return chosen;
}
