/**
 * Gives every city of the demo world a node of the measured RTT matrix, so that distances are real numbers
 * and the geography is plausible. Deterministic: same cities and matrix, same result.
 *
 * The nodes' places are not published. Each pair of cities has an expectation from its great circle; local
 * search picks distinct nodes whose mutual RTTs are closest to the expectations (sum of absolute
 * differences), from several seeded starts. Only the choice of nodes is ours, every RTT is as measured.
 */
import { getDistance } from "geolib";

/** Last-mile share of a round trip, ms. */
const ACCESS_MS = 5;
/** Light in fibre needs 1 ms of round trip per 100 km; real routes are longer by this factor. */
const MS_PER_100_KM = 1.4;
const STARTS = 60;

interface Place {
  readonly cityId: string;
  readonly latitude: number;
  readonly longitude: number;
}

export function expectedRttMs(a: Place, b: Place): number {
  return ACCESS_MS + (MS_PER_100_KM * getDistance(a, b)) / 100_000;
}

/** @returns the row of the matrix of each city */
export function assignNodes(cities: readonly Place[], matrix: readonly (readonly number[])[]): number[] {
  const expected = cities.map((a) => cities.map((b) => expectedRttMs(a, b)));
  const difference = (a: number, b: number, i: number, j: number) =>
    Math.abs((matrix[i]![j]! + matrix[j]![i]!) / 2 - expected[a]![b]!);
  const random = mulberry32(1);
  let best: { nodes: number[]; cost: number } | undefined;
  for (let start = 0; start < STARTS; start++) {
    const nodes = shuffled(matrix.length, random).slice(0, cities.length);
    /** Cost of city `c` on `node`, all others where they are; `swap` is where the city there goes instead. */
    const costOf = (c: number, node: number, swap?: { city: number; node: number }) => {
      let sum = 0;
      for (let o = 0; o < cities.length; o++) {
        if (o === c) continue;
        const other = o === swap?.city ? swap.node : nodes[o]!;
        sum += difference(c, o, node, other);
      }
      return sum;
    };
    for (let improved = true; improved; ) {
      improved = false;
      for (let c = 0; c < cities.length; c++) {
        for (let node = 0; node < matrix.length; node++) {
          const from = nodes[c]!;
          if (node === from) continue;
          const other = nodes.indexOf(node);
          const swap = other < 0 ? undefined : { city: other, node: from };
          const before = costOf(c, from) + (swap ? costOf(other, node) : 0);
          const after = costOf(c, node, swap) + (swap ? costOf(other, from, { city: c, node }) : 0);
          if (after < before - 1e-9) {
            nodes[c] = node;
            if (swap) nodes[other] = from;
            improved = true;
          }
        }
      }
    }
    const cost = cities.reduce((sum, _, c) => sum + costOf(c, nodes[c]!), 0);
    if (!best || cost < best.cost) best = { nodes, cost };
  }
  return best?.nodes ?? [];
}

/** The rows and columns of the chosen nodes, with city ids as header and first column. */
export function extractCsv(
  cities: readonly Place[],
  matrix: readonly (readonly number[])[],
  nodes: readonly number[],
) {
  const head = ["city", "node", ...cities.map((c) => c.cityId)].join(",");
  const rows = cities.map((c, i) =>
    [c.cityId, nodes[i], ...nodes.map((node) => matrix[nodes[i]!]![node]!)].join(","),
  );
  return `${[head, ...rows].join("\n")}\n`;
}

/** Small seeded generator (mulberry32, public domain). */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(length: number, random: () => number): number[] {
  const items = Array.from({ length }, (_, i) => i);
  for (let i = length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}
