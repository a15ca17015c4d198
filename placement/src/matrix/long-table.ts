/** Long tables: one line for each measurement, with the two nodes and the round trip in columns of their own. */
import { MatrixError } from "./matrix-error.js";
import type { Readings } from "./readings.js";
import type { LayoutOptions } from "./table-layout.js";
import { mostCommonWidth, type TextRow, type TextTable } from "./text-tables.js";
import { isNumber, isWord, readCell, unitOfName } from "./unit.js";

const SOURCE = /^(src|source|from|origin|sender|sending|client|probe|start|node_?(a|1)|a|i)\b/i;
const DESTINATION =
  /^(dst|dest|destination|to|target|receiver|receiving|server|end|peer|remote|node_?(b|2)|b|j)\b/i;
/** Columns that are numbers but no round trips. */
const NO_ROUND_TRIP =
  /time_?stamp|date|epoch|^ts$|^time$|year|month|^day|hour|minute|count|number|samples?|packets?|loss|lost|jitter|std|dev|variance|latitude|longitude|^lat$|^lon$|^lng$|dist|_km|^km|asn|port|hops|ttl|bandwidth|throughput|percent_|index|^id$|_id$/i;
/** Share of lines amid a list that may be of another kind. */
const MOST_BROKEN = 0.1;
/** The round trip to take where there are several, best first. */
const PREFERRED = [
  /median|p_?50\b|50th|\bp50/i,
  /avg|average|mean/i,
  /^rtt|rtt$|round.?trip/i,
  /latency|ping|delay|millis|micros|^(ms|us|µs)$/i,
  /^min/i,
];

interface Columns {
  from: number;
  to: number;
  value: number;
  headed: boolean;
}

/** @returns whether it is one */
export function readLong(table: TextTable, readings: Readings, options: LayoutOptions): boolean {
  const columns = columnsOf(table.head, options);
  if (columns === undefined) return false;
  const { from, to, value, headed } = columns;
  const header = headed ? (table.head[0]?.cells ?? []) : [];
  readings.layout = "long table";
  if (headed) {
    readings.layout += ` (${header[from]} to ${header[to]}, ${header[value]})`;
    readings.say(unitOfName(header[value] ?? ""), `of column ${header[value]}`);
  }
  let skipped = 0;
  let first = headed;
  const width = Math.max(from, to, value) + 1;
  table.each(({ cells, line }) => {
    if (first) {
      first = false;
      return;
    }
    const cell = cells.length < width ? undefined : readCell(cells[value] ?? "");
    if (cell === undefined) skipped++;
    else if (cell.type === "number") {
      if (cell.value < 0)
        throw new MatrixError(
          "MATRIX_NEGATIVE",
          `${options.name} row ${line} is ${cell.value}; a round trip cannot be negative`,
          { row: line, column: value + 1 },
        );
      readings.add(readings.node(cells[from] ?? ""), readings.node(cells[to] ?? ""), cell.value, cell.unit);
    } else {
      readings.node(cells[from] ?? "");
      readings.node(cells[to] ?? "");
    }
  });
  if (skipped > 0) readings.notes.push(`${skipped} lines without a round trip skipped`);
  return true;
}

function columnsOf(head: readonly TextRow[], options: LayoutOptions): Columns | undefined {
  const [first, ...others] = head;
  const common = mostCommonWidth(head);
  const rest = others.filter(({ cells }) => cells.length === common);
  if (first === undefined || rest.length === 0) return undefined;
  const names = first.cells.map(normalized);
  const named = first.cells.filter((cell) => cell !== "");
  const headed = named.length > 2 && named.every(isWord);
  if (headed) {
    const from = names.findIndex((name) => SOURCE.test(name));
    const to = names.findIndex((name, i) => i !== from && DESTINATION.test(name));
    const pair =
      from >= 0 && to >= 0 ? bestPair(names, rest, from, to) : pairByContent(rest, first.cells.length);
    if (pair === undefined || !isNames(rest, pair.from) || !isNames(rest, pair.to)) return undefined;
    const value = valueColumn(first.cells, rest, pair, options);
    return value === undefined ? undefined : { ...pair, value, headed };
  }
  // Without names: two that say who, and one number. Lists may begin with lines of another kind.
  const width = common;
  const body = head.filter(({ cells }) => cells.length === width);
  if (width < 3 || body.length < Math.max(2, head.length / 2)) return undefined;
  const start = head.findIndex(({ cells }) => cells.length === width);
  const end = head.findLastIndex(({ cells }) => cells.length === width);
  if (end - start + 1 > body.length * (1 + MOST_BROKEN)) return undefined;
  if (!isNames(body, 0) || !isNames(body, 1)) return undefined;
  const pairs = new Set(body.map(({ cells }) => `${cells[0]} ${cells[1]}`));
  const nodes = new Set(body.flatMap(({ cells }) => [cells[0], cells[1]]));
  // The rows of a matrix that happens to have whole numbers first are as many as its columns.
  if (width > 4 && body.length <= width + 1) return undefined;
  if (pairs.size < 2 || nodes.size > 2 * pairs.size) return undefined;
  const value = valueColumn(undefined, body, { from: 0, to: 1 }, options);
  return value === undefined ? undefined : { from: 0, to: 1, value, headed: false };
}

const normalized = (name: string): string =>
  name
    .trim()
    .replace(/([a-z])([A-Z])/g, "$1_$2")
    .replace(/[^\p{L}\d]+/gu, "_")
    .replace(/_/g, " ");

/** Whether a column may name nodes: words, or whole numbers. */
const isNames = (rows: readonly TextRow[], column: number): boolean =>
  rows.every(({ cells }) => isWord(cells[column] ?? "") || /^\d+$/.test(cells[column] ?? ""));

const distinct = (rows: readonly TextRow[], column: number): Set<string> =>
  new Set(rows.map(({ cells }) => (cells[column] ?? "").toLowerCase()));

function shared(rows: readonly TextRow[], a: number, b: number): number {
  const others = distinct(rows, b);
  return [...distinct(rows, a)].filter((value) => others.has(value)).length;
}

/** Several columns may describe the source (its cloud, its city): those count that tell most nodes apart. */
function bestPair(
  names: readonly string[],
  rows: readonly TextRow[],
  from: number,
  to: number,
): { from: number; to: number } {
  let best = { from, to };
  let most = shared(rows, from, to);
  names.forEach((a, i) => {
    if (!SOURCE.test(a) || NO_ROUND_TRIP.test(a)) return;
    names.forEach((b, j) => {
      if (i === j || !DESTINATION.test(b) || NO_ROUND_TRIP.test(b)) return;
      const count = shared(rows, i, j);
      if (count <= most) return;
      most = count;
      best = { from: i, to: j };
    });
  });
  return best;
}

/** The two columns that name the same nodes. */
function pairByContent(rows: readonly TextRow[], width: number): { from: number; to: number } | undefined {
  const names = Array.from({ length: width }, (_, column) => column).filter((column) =>
    isNames(rows, column),
  );
  let best: { from: number; to: number } | undefined;
  let most = 0;
  for (const from of names)
    for (const to of names) {
      if (to <= from) continue;
      const count = shared(rows, from, to);
      if (count <= most) continue;
      most = count;
      best = { from, to };
    }
  return best;
}

function valueColumn(
  header: readonly string[] | undefined,
  rows: readonly TextRow[],
  { from, to }: { from: number; to: number },
  { name, value }: LayoutOptions,
): number | undefined {
  const width = Math.max(...rows.slice(0, 8).map(({ cells }) => cells.length));
  const columns = Array.from({ length: width }, (_, column) => column).filter(
    (column) => column !== from && column !== to,
  );
  const numeric = columns.filter((column) => {
    const cells = rows.map((row) => row.cells[column] ?? "");
    if (header !== undefined && (header[column] ?? "") === "") return false;
    return cells.some(isNumber) && cells.filter(isWord).length <= cells.length / 10;
  });
  if (value !== undefined) {
    const asked = numeric.find(
      (column) => header?.[column]?.toLowerCase() === value.toLowerCase() || String(column + 1) === value,
    );
    if (asked !== undefined) return asked;
    throw new MatrixError(
      "MATRIX_AMBIGUOUS",
      `${name} has no column ${value} of round trips; it has ${list(numeric, header)}`,
    );
  }
  if (header === undefined) {
    if (numeric.length <= 1) return numeric[0];
    throw new MatrixError(
      "MATRIX_AMBIGUOUS",
      `${name} has several columns of numbers and no header: choose one with --value ${numeric.map((column) => column + 1).join(", ")}`,
    );
  }
  const names = header.map(normalized);
  const likely = numeric.filter((column) => !NO_ROUND_TRIP.test((names[column] ?? "").replaceAll(" ", "_")));
  if (likely.length <= 1) return likely[0] ?? (numeric.length === 1 ? numeric[0] : undefined);
  for (const preferred of PREFERRED) {
    const found = likely.filter((column) => preferred.test(names[column] ?? ""));
    if (found[0] !== undefined) return found[0];
  }
  throw new MatrixError(
    "MATRIX_AMBIGUOUS",
    `${name} has several columns that may be the round trip: choose one with --value ${list(likely, header)}`,
  );
}

const list = (columns: readonly number[], header: readonly string[] | undefined): string =>
  columns.map((column) => header?.[column] ?? String(column + 1)).join(", ");
