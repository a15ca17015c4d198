/** Pairs that nobody measured: taken from the other way or another slice, then left out, bounded or refused. */
import { MatrixError } from "./matrix-error.js";
import type { RttMatrix } from "./rtt-matrix.js";

export const MISSING_RULES = ["drop", "bound", "error"] as const;
/**
 * `drop` leaves out nodes, those with the most gaps first; `bound` takes the shortest way by a third node, which no
 * round trip should exceed; `error` refuses.
 */
export type MissingRule = (typeof MISSING_RULES)[number];

export interface Filled {
  slices: RttMatrix[];
  /** Pairs, each direction by itself, that no slice has; and all. */
  missing: number;
  pairs: number;
  /** NaN if no pair was measured both ways. */
  asymmetricShare: number;
  notes: string[];
}

const ASYMMETRIC = 0.1;
/** So few nodes of many are no network any more. */
const LEAST_KEPT = 0.5;
const MOST_NAMED = 5;

/**
 * @param tables ms by pair for each slice, NaN where nothing was measured; filled in place
 * @throws MatrixError
 */
export function fill(
  tables: readonly Float64Array[],
  labels: readonly string[],
  rule: MissingRule,
  name: string,
): Filled {
  const size = labels.length;
  const pairs = size * (size - 1);
  const notes: string[] = [];
  const asymmetricShare = asymmetric(tables, size);
  const mirrored = tables.reduce((sum, table) => sum + mirror(table, size), 0);
  const half = mirrored >= pairs / 2 - 1 && tables.length === 1;
  if (mirrored > 0 && !half) notes.push(`${mirrored} taken from the other way`);
  const carried = tables.length > 1 ? carry(tables) : 0;
  if (carried > 0) notes.push(`${carried} taken from the slice before or after`);
  const missing = tables[0] === undefined ? 0 : count(tables[0]);
  if (missing > 0 && rule === "error")
    throw new MatrixError(
      "MATRIX_MISSING",
      `${name}: ${missing} of ${pairs} pairs were not measured (${examples(tables, labels)}); leave out their nodes with --missing drop, or take the way by a third node with --missing bound`,
    );
  const kept = new Set(labels.keys());
  if (missing > 0) {
    if (rule === "bound") {
      const bounded = tables.reduce((sum, table) => sum + bound(table, size), 0);
      notes.push(`${bounded} bounded by the way over a third node`);
    }
    const dropped = drop(tables, kept, size);
    if (dropped.length > 0) {
      const named = dropped.slice(0, MOST_NAMED).map((i) => labels[i] ?? "");
      notes.push(
        `${dropped.length} ${dropped.length === 1 ? "node" : "nodes"} left out (${named.join(", ")}${dropped.length > MOST_NAMED ? ", ..." : ""})`,
      );
    }
    if (kept.size < 2 || (rule === "drop" && kept.size < LEAST_KEPT * size))
      throw new MatrixError(
        "MATRIX_MISSING",
        `${name}: ${missing} of ${pairs} pairs were not measured (${examples(tables, labels)}); without their nodes ${kept.size} of ${size} are left${rule === "drop" ? "; --missing bound takes the shortest way by a third node" : ""}`,
      );
  }
  const nodes = [...kept].sort((a, b) => a - b);
  const slices = tables.map((table): RttMatrix => {
    const rttMs = new Float64Array(nodes.length * nodes.length);
    nodes.forEach((from, i) => {
      nodes.forEach((to, j) => {
        rttMs[i * nodes.length + j] = table[from * size + to] ?? 0;
      });
    });
    return { size: nodes.length, labels: nodes.map((i) => labels[i] ?? ""), rttMs };
  });
  return { slices, missing, pairs, asymmetricShare, notes };
}

function asymmetric(tables: readonly Float64Array[], size: number): number {
  let both = 0;
  let differ = 0;
  for (const table of tables)
    for (let i = 0; i < size; i++)
      for (let j = 0; j < i; j++) {
        const there = table[i * size + j] ?? Number.NaN;
        const back = table[j * size + i] ?? Number.NaN;
        if (Number.isNaN(there) || Number.isNaN(back)) continue;
        both++;
        if (Math.abs(there - back) > ASYMMETRIC * Math.min(there, back)) differ++;
      }
  return differ / both;
}

/** A round trip goes both ways: the other one's measurement is the best guess. @returns how many were taken */
function mirror(table: Float64Array, size: number): number {
  let taken = 0;
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      const back = table[j * size + i] ?? Number.NaN;
      if (!Number.isNaN(table[i * size + j] ?? 0) || Number.isNaN(back)) continue;
      table[i * size + j] = back;
      taken++;
    }
  return taken;
}

/** What a slice does not have it takes from the one before, or else from the next one that has it. */
function carry(tables: readonly Float64Array[]): number {
  let taken = 0;
  const pass = (order: readonly Float64Array[]): void => {
    order.forEach((table, t) => {
      const before = order[t - 1];
      if (before === undefined) return;
      for (let i = 0; i < table.length; i++) {
        const value = before[i] ?? Number.NaN;
        if (!Number.isNaN(table[i] ?? 0) || Number.isNaN(value)) continue;
        table[i] = value;
        taken++;
      }
    });
  };
  pass(tables);
  pass([...tables].reverse());
  return taken;
}

function count(table: Float64Array): number {
  let missing = 0;
  for (const value of table) if (Number.isNaN(value)) missing++;
  return missing;
}

function bound(table: Float64Array, size: number): number {
  const measured = table.slice();
  let bounded = 0;
  for (let i = 0; i < size; i++)
    for (let j = 0; j < size; j++) {
      if (!Number.isNaN(measured[i * size + j] ?? 0)) continue;
      let least = Number.POSITIVE_INFINITY;
      for (let k = 0; k < size; k++) {
        const way = (measured[i * size + k] ?? 0) + (measured[k * size + j] ?? 0);
        if (k !== i && k !== j && way < least) least = way;
      }
      if (least === Number.POSITIVE_INFINITY) continue;
      table[i * size + j] = least;
      bounded++;
    }
  return bounded;
}

/** Takes nodes away, those with the most gaps first, until none is left. All slices have the same gaps. */
function drop(tables: readonly Float64Array[], kept: Set<number>, size: number): number[] {
  const [table] = tables;
  if (table === undefined) return [];
  const gaps = new Int32Array(size);
  const isGap = (i: number, j: number): boolean =>
    Number.isNaN(table[i * size + j] ?? 0) || Number.isNaN(table[j * size + i] ?? 0);
  for (let i = 0; i < size; i++) for (let j = 0; j < size; j++) if (isGap(i, j)) gaps[i] = (gaps[i] ?? 0) + 1;
  const dropped: number[] = [];
  for (;;) {
    let worst = -1;
    for (const i of kept) if ((gaps[i] ?? 0) > (worst < 0 ? 0 : (gaps[worst] ?? 0))) worst = i;
    if (worst < 0) return dropped;
    kept.delete(worst);
    dropped.push(worst);
    for (let j = 0; j < size; j++) if (isGap(worst, j)) gaps[j] = (gaps[j] ?? 0) - 1;
  }
}

function examples([table]: readonly Float64Array[], labels: readonly string[]): string {
  const pairs: string[] = [];
  const size = labels.length;
  for (let i = 0; i < size * size && pairs.length < 2; i++)
    if (Number.isNaN(table?.[i] ?? 0)) pairs.push(`${labels[Math.floor(i / size)]} to ${labels[i % size]}`);
  return `such as ${pairs.join(", ")}`;
}
