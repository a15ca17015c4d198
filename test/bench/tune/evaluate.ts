/** How good a set of parameters is on some nodes: the engine alone, judged by the raw matrix. */
import { type PlacementParameters, type RttMatrix, simulate } from "@centroid/placement";

export type Tuned = Pick<
  PlacementParameters,
  "regretFactor" | "minGain" | "noiseMargin" | "doubt" | "optimism"
>;

/** Prices of a move that a room may meet, ms.player.step. */
const MIGRATION_COSTS = [1_500, 6_000];
/** A p95 counts by this next to a mean. */
const P95_WEIGHT = 0.25;

export interface Figures {
  staticMean: number;
  staticP95: number;
  /** By price of a move. */
  dynamicMean: number[];
  dynamicP95: number[];
  /** What the search makes small: excess over the optimum. */
  loss: number;
}

export interface Setting {
  slices: readonly RttMatrix[];
  hosts: number;
  rooms: number;
  maxPlayers: number;
  steps: number;
  seeds: readonly number[];
}

/** Mean figures over slices and seeds. */
export function evaluate(tuned: Tuned, s: Setting): Figures {
  const runs = MIGRATION_COSTS.map((migrationCost) =>
    s.slices.flatMap((slice) =>
      s.seeds.flatMap((seed) => {
        const { hosts, rooms, maxPlayers, steps } = s;
        const options = { hosts, rooms, maxPlayers, steps, seed, migrationCost, minPlayers: 4 };
        return simulate([slice], { ...options, policies: ["centroid"] }, tuned).policies;
      }),
    ),
  );
  const all = runs.flat();
  const staticMean = mean(all.map((r) => r.staticMean));
  const staticP95 = mean(all.map((r) => r.staticP95));
  const dynamicMean = runs.map((of) => mean(of.map((r) => r.dynamicMean)));
  const dynamicP95 = runs.map((of) => mean(of.map((r) => r.dynamicP95)));
  const excess = (means: number[], p95s: number[]): number => mean(means) - 1 + P95_WEIGHT * (mean(p95s) - 1);
  const loss = excess([staticMean], [staticP95]) + excess(dynamicMean, dynamicP95);
  return { staticMean, staticP95, dynamicMean, dynamicP95, loss };
}

/** The matrix of some of its nodes. */
export function subMatrix({ size, labels, rttMs }: RttMatrix, nodes: readonly number[]): RttMatrix {
  return {
    size: nodes.length,
    labels: nodes.map((node) => labels[node] ?? ""),
    rttMs: Float64Array.from(nodes.flatMap((i) => nodes.map((j) => rttMs[i * size + j] ?? 0))),
  };
}

export const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
