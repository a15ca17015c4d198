/**
 * Reads round trips in the forms in which they are published, and says in one line what was understood. Several files
 * are slices of the same nodes over time.
 */
import { parseJson, readJson } from "./json-layout.js";
import { MatrixError, READABLE_LAYOUTS } from "./matrix-error.js";
import { type Filled, fill, type MissingRule } from "./missing.js";
import { labelKey, Readings } from "./readings.js";
import type { RttMatrix } from "./rtt-matrix.js";
import { readTable } from "./table-layout.js";
import { textTables } from "./text-tables.js";
import { likelyUnit, MS_PER_UNIT, type RttUnit, UNIT_NAMES, unitOfProse } from "./unit.js";

export interface RttFile {
  name: string;
  text: string;
}

export interface ReadOptions {
  /** Of the numbers in the files; found out if not given. */
  unit?: RttUnit;
  /** What to do with pairs that were never measured; `drop` if not given. */
  missing?: MissingRule;
  /** Column, or key, that has the round trips, where there are several. */
  value?: string;
}

/** What was understood of the files. */
export interface Understood {
  files: number;
  layout: string;
  nodes: number;
  unit: RttUnit;
  /** What said so. */
  unitFrom: string;
  /** Pairs, each direction by itself, that no file has. */
  missing: number;
  pairs: number;
  /** Share of the pairs measured both ways whose ways differ by more than a tenth. */
  asymmetricShare: number;
  notes: string[];
}

export interface ReadSlices {
  slices: RttMatrix[];
  understood: Understood;
}

/** No path on Earth takes longer; a larger number is most likely in another unit. */
const MAX_RTT_MS = 60_000;
/** Of a half of zeros, or of more than this, zeros were not measured. */
const MANY_ZEROS = 0.1;
/** So few round trips of more than that are answers that were lost and came late. */
const FEW_TIMEOUTS = 0.01;
const ASYMMETRIC = 0.1;

/** Numbers that were taken as not measured. */
interface Doubts {
  zeros: number;
  timeouts: number;
}

/** One file. @throws MatrixError */
export function readRttMatrix(text: string, name = "matrix", options: ReadOptions = {}): RttMatrix {
  const [slice] = readRttSlices([{ name, text }], options).slices;
  if (slice === undefined) throw new MatrixError("MATRIX_EMPTY", `${name} is empty`);
  return slice;
}

/**
 * Files of the same nodes over time, in order.
 * @throws MatrixError on what is ambiguous, with the choices there are
 */
export function readRttSlices(files: readonly RttFile[], options: ReadOptions = {}): ReadSlices {
  const read = files.map((file) => readFile(file, options));
  const [first] = read;
  if (first === undefined) throw new MatrixError("MATRIX_EMPTY", "no file given; at least one is needed");
  if (options.unit !== undefined)
    for (const readings of read) if (!readings.unitInCells) readings.unit = options.unit;
  const unit = unitOfAll(read, files, options);
  const labels = labelsOfAll(read, files);
  const slots = new Map(labels.map((label, i) => [labelKey(label), i]));
  const doubts: Doubts = { zeros: 0, timeouts: 0 };
  const tables = read.map((readings, i) =>
    tableOf(readings, labels.length, slots, unit, files[i]?.name ?? "", doubts),
  );
  if (labels.length < 2)
    throw new MatrixError(
      "MATRIX_TOO_SMALL",
      `${files[0]?.name} has ${labels.length} node(s); at least 2 are needed`,
    );
  const filled = fill(tables, labels, options.missing ?? "drop", files[0]?.name ?? "");
  return { slices: filled.slices, understood: understand(read, unit, filled, doubts) };
}

function readFile({ name, text }: RttFile, { value }: ReadOptions): Readings {
  const readings = new Readings();
  const options = { name, value };
  const json = parseJson(text);
  if (json !== undefined) readJson(json, readings, options);
  else {
    const bare = /^\s*\[/.test(text)
      ? text.replace(/[[\];]/g, (bracket) => (bracket === ";" ? "\n" : " "))
      : text;
    const { tables, prose } = textTables(bare, name);
    if (tables.length === 0)
      throw new MatrixError("MATRIX_EMPTY", `${name} is empty. Readable: ${READABLE_LAYOUTS}`);
    const markdown = tables.some((table) => table.markdown);
    let fault: unknown;
    for (const table of tables) {
      try {
        // Pages have tables of other things too: these must leave no trace.
        const tried = new Readings();
        if (markdown) readTable(table, tried, options, tables.length > 1);
        if (!markdown || tried.pairs > 0) readTable(table, readings, options, tables.length > 1);
      } catch (cause) {
        if (!markdown || !(cause instanceof MatrixError)) throw cause;
        fault ??= cause;
      }
    }
    if (readings.pairs === 0 && fault !== undefined) throw fault;
    if (markdown) readings.layout = `Markdown, ${readings.layout}`;
    readings.say(unitOfProse(prose), "of the text around it");
  }
  readings.say(unitOfProse(name.replace(/[_\d]/g, " ")), "of the file's name");
  const { mostPerPair } = readings;
  if (mostPerPair > 1) readings.notes.push(`median of up to ${mostPerPair} measurements a pair`);
  return readings;
}

function unitOfAll(
  read: readonly Readings[],
  files: readonly RttFile[],
  { unit }: ReadOptions,
): { unit: RttUnit; from: string } {
  if (unit !== undefined) return { unit, from: "as asked" };
  const said = read.find((readings) => readings.unit !== undefined);
  if (said?.unit !== undefined) return { unit: said.unit, from: said.unitFrom };
  const values: number[] = [];
  for (const readings of read.slice(0, 8)) for (const { value } of readings) values.push(value);
  return { unit: likelyUnit(values, files[0]?.name ?? ""), from: "by size" };
}

/** Files that name their nodes may have them in any order; of the others all need the same number. */
function labelsOfAll(read: readonly Readings[], files: readonly RttFile[]): string[] {
  const labels = new Map<string, string>();
  for (const readings of read) for (const label of readings.labels) labels.set(labelKey(label), label);
  const sizes = new Set(read.map((readings) => readings.labels.length));
  if (sizes.size > 1 && read.some(({ named }) => !named))
    throw new MatrixError(
      "MATRIX_SLICES_DIFFER",
      `the matrices have ${[...sizes].join(", ")} nodes and no names (${files
        .map(({ name }) => name)
        .slice(0, 3)
        .join(", ")}); slices must be of the same nodes`,
    );
  if (read.length > 1 && read.every(({ named }) => named)) {
    const common = [...labels].filter(([key]) => read.every((readings) => readings.has(key)));
    if (common.length < 2)
      throw new MatrixError(
        "MATRIX_SLICES_DIFFER",
        `the files have ${common.length} of ${labels.size} nodes in common; slices must be of the same nodes`,
      );
  }
  return [...labels.values()];
}

/** In ms; NaN where nothing was measured. */
function tableOf(
  readings: Readings,
  size: number,
  slots: ReadonlyMap<string, number>,
  { unit }: { unit: RttUnit },
  name: string,
  doubts: Doubts,
): Float64Array {
  const table = new Float64Array(size * size).fill(Number.NaN);
  const at = readings.labels.map((label) => slots.get(labelKey(label)) ?? 0);
  const factor = MS_PER_UNIT[readings.unit ?? unit];
  let tooLong: { from: number; to: number; value: number } | undefined;
  let longOnes = 0;
  let zeros = 0;
  let whole = true;
  for (const { from, to, value } of readings) {
    const rttMs = value * factor;
    if (rttMs > MAX_RTT_MS) {
      tooLong ??= { from, to, value };
      longOnes++;
      continue;
    }
    if (value === 0) zeros++;
    else if (!Number.isInteger(value)) whole = false;
    table[(at[from] ?? 0) * size + (at[to] ?? 0)] = rttMs;
  }
  if (tooLong !== undefined) {
    const { from, to, value } = tooLong;
    if (longOnes > FEW_TIMEOUTS * readings.pairs)
      throw new MatrixError(
        "MATRIX_TOO_LARGE",
        `${name}: ${readings.labels[from]} to ${readings.labels[to]} is ${value}, more than a minute in ${UNIT_NAMES[readings.unit ?? unit]}; if the unit is another, say --unit`,
      );
    doubts.timeouts += longOnes;
  }
  // Rounded to whole ms a short round trip is 0; anything finer that is 0 was not measured.
  const short = whole && (readings.unit ?? unit) === "ms" && zeros <= MANY_ZEROS * readings.pairs;
  if (!short && zeros > 0 && zeros < readings.pairs) {
    for (let i = 0; i < table.length; i++) if (table[i] === 0) table[i] = Number.NaN;
    doubts.zeros += zeros;
  }
  for (let i = 0; i < size; i++) table[i * size + i] = 0;
  return table;
}

function understand(
  read: readonly Readings[],
  { unit, from }: { unit: RttUnit; from: string },
  filled: Filled,
  { zeros, timeouts }: Doubts,
): Understood {
  const [first] = read;
  const layouts = new Set(read.map(({ layout }) => layout));
  const notes = [...(first?.notes ?? [])];
  if (zeros > 0) notes.push(`${zeros} zeros taken as not measured`);
  if (timeouts > 0) notes.push(`${timeouts} above a minute taken as not measured`);
  notes.push(...filled.notes);
  return {
    files: read.length,
    layout: [...layouts].slice(0, 2).join(" and "),
    nodes: filled.slices[0]?.size ?? 0,
    unit,
    unitFrom: from,
    missing: filled.missing,
    pairs: filled.pairs,
    asymmetricShare: filled.asymmetricShare,
    notes,
  };
}

/** As one line for a person. */
export function describeUnderstood(u: Understood): string {
  const unit = `${UNIT_NAMES[u.unit]} (${u.unitFrom})`;
  const asymmetric = Number.isNaN(u.asymmetricShare)
    ? "one way only"
    : `${Math.round(100 * u.asymmetricShare)} % of pairs differ by more than ${100 * ASYMMETRIC} % between their ways`;
  const parts = [
    `${u.nodes} nodes`,
    unit,
    `${u.missing} of ${u.pairs} pairs missing`,
    asymmetric,
    ...u.notes,
  ];
  return `${u.files > 1 ? `${u.files} slices, each a ` : ""}${u.layout}: ${parts.join(", ")}`;
}
