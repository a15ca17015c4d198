/**
 * `npm run tune`: searches the engine's parameters on two thirds of the measured nodes, cross-validated over folds of
 * them, and compares the result with the defaults on the third that the search never saw.
 *
 * Random search (Bergstra & Bengio 2012) with successive halving (Jamieson & Talwalkar 2016); all sets of parameters
 * meet the same rooms. For each fold the best set of the other folds is judged on it: what a search is worth on
 * nodes it has not seen.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_PARAMETERS, readRttMatrix } from "@centroid/placement";
import { evaluate, type Figures, mean, type Setting, subMatrix, type Tuned } from "./evaluate.js";

const SLICES = ["planetlab-rtt-1.csv", "planetlab-rtt-2.csv", "planetlab-rtt-3.csv"].map((file) =>
  readRttMatrix(readFileSync(join(import.meta.dirname, "../../../data", file), "utf8"), file),
);
const FOLDS = 3;
/** Node i is held out if i is 0 modulo this; the others go to the folds in turn. */
const HELD_OUT_EVERY = 3;
const quick = process.argv.includes("--quick");
/** Candidates at each stage, and rooms per run. */
const STAGES = quick
  ? [{ candidates: 4, rooms: 5 }]
  : [
      { candidates: 48, rooms: 10 },
      { candidates: 16, rooms: 25 },
      { candidates: 6, rooms: 60 },
    ];

const nodes = SLICES[0]?.labels.map((_, i) => i) ?? [];
const heldOut = nodes.filter((i) => i % HELD_OUT_EVERY === 0);
const training = nodes.filter((i) => i % HELD_OUT_EVERY !== 0);
const folds = Array.from({ length: FOLDS }, (_, k) => training.filter((_, i) => i % FOLDS === k));

const foldSetting = (k: number, rooms: number, stage: number): Setting => ({
  // Each fold is of other nodes at another time.
  slices: SLICES.slice(k, k + 1).map((slice) => subMatrix(slice, folds[k] ?? [])),
  hosts: 12,
  rooms,
  maxPlayers: 9,
  steps: 200,
  seeds: [100 * (stage + 1) + k],
});

const { regretFactor, minGain, noiseMargin, doubt, optimism } = DEFAULT_PARAMETERS;
const defaults: Tuned = { regretFactor, minGain, noiseMargin, doubt, optimism };
const random = lehmer(77);
const between = (low: number, high: number): number => low * (high / low) ** random();
const drawn = (): Tuned => ({
  regretFactor: between(0.15, 1.2),
  minGain: between(0.005, 0.08),
  noiseMargin: between(2.5, 5),
  doubt: between(0.05, 0.6),
  optimism: between(0.8, 3),
});

interface Candidate {
  tuned: Tuned;
  /** By fold. */
  figures: Figures[];
}

let candidates: Candidate[] = [
  { tuned: defaults, figures: [] },
  ...Array.from({ length: (STAGES[0]?.candidates ?? 1) - 1 }, () => ({ tuned: drawn(), figures: [] })),
];
const lossOf = ({ figures }: Candidate): number => mean(figures.map(({ loss }) => loss));
STAGES.forEach(({ candidates: count, rooms }, stage) => {
  // The defaults are carried along, so that there is always something to compare with.
  const [own, ...others] = candidates;
  candidates = [...(own ? [own] : []), ...others.sort((a, b) => lossOf(a) - lossOf(b)).slice(0, count - 1)];
  for (const candidate of candidates)
    candidate.figures = folds.map((_, k) => evaluate(candidate.tuned, foldSetting(k, rooms, stage)));
  console.log(`stage ${stage + 1}: ${candidates.length} sets, ${rooms} rooms per fold and price of a move`);
  for (const candidate of [...candidates].sort((a, b) => lossOf(a) - lossOf(b)).slice(0, 6))
    console.log(`  ${lossOf(candidate).toFixed(4)}  ${text(candidate.tuned)}${name(candidate)}`);
});

const [own] = candidates;
const best = least(candidates, lossOf);
const chosen = folds.map((_, k) => {
  const others = ({ figures }: Candidate): number =>
    mean(figures.filter((_, f) => f !== k).map((f) => f.loss));
  return least(candidates, others).figures[k]?.loss ?? Number.NaN;
});
console.log(
  `cross-validated: ${mean(chosen).toFixed(4)} for the best set of the other folds, ${lossOf(own ?? best).toFixed(4)} for the defaults`,
);
console.log(`\nheld-out nodes (${heldOut.length}), 24 hosts, every slice`);
const judged: Setting = {
  slices: SLICES.map((slice) => subMatrix(slice, heldOut)),
  hosts: quick ? 12 : 24,
  rooms: quick ? 5 : 50,
  maxPlayers: 14,
  steps: 300,
  seeds: quick ? [9_500] : [9_500, 9_501],
};
for (const [label, tuned] of [
  ["defaults", defaults],
  ["tuned", best.tuned],
] as const) {
  const f = evaluate(tuned, judged);
  const pair = (a = Number.NaN, b = Number.NaN): string => `${a.toFixed(3)} / ${b.toFixed(3)}`;
  console.log(
    `${label}: static ${pair(f.staticMean, f.staticP95)}, dynamic at 1,500 ${pair(f.dynamicMean[0], f.dynamicP95[0])}, at 6,000 ${pair(f.dynamicMean[1], f.dynamicP95[1])}, loss ${f.loss.toFixed(4)}; ${text(tuned)}`,
  );
}

function name(candidate: Candidate): string {
  return candidate.tuned === defaults ? "  (defaults)" : "";
}

function text(tuned: Tuned): string {
  return Object.entries(tuned)
    .map(([key, value]) => `${key} ${Number(value.toPrecision(3))}`)
    .join(", ");
}

function least(of: readonly Candidate[], loss: (candidate: Candidate) => number): Candidate {
  return [...of].sort((a, b) => loss(a) - loss(b))[0] ?? { tuned: defaults, figures: [] };
}

/** Lehmer 1951, modulus 2^31 - 1. */
function lehmer(seed: number): () => number {
  let state = seed * 7_919 + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}
