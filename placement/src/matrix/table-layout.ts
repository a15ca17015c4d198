/** What a table of cells means: a square, one half of one, sources down and destinations across, or a long table. */
import { readLong } from "./long-table.js";
import { MatrixError, READABLE_LAYOUTS } from "./matrix-error.js";
import { labelKey, type Readings } from "./readings.js";
import { mostCommonWidth, type TextRow, type TextTable } from "./text-tables.js";
import { isNumber, isWord, readCell, unitOfName } from "./unit.js";

export interface LayoutOptions {
  name: string;
  /** Name or number, from 1, of the column that has the round trips. */
  value: string | undefined;
}

/**
 * @param more there are other tables in the file: this one may hold a part of the pairs
 * @throws MatrixError
 */
export function readTable(table: TextTable, readings: Readings, options: LayoutOptions, more: boolean): void {
  const { head } = table;
  const [first] = head;
  if (first === undefined) return;
  if (squareOf(head) === undefined) {
    if (readTriangle(head, readings, options)) return;
    const isLong = (namesInCommon(head) ?? 0) < 2 && mostCommonWidth(head) > 2;
    if (isLong && readLong(table, readings, options)) return;
  }
  const rows: TextRow[] = [];
  table.each((row) => rows.push(row));
  const square = squareOf(rows);
  const inCommon = namesInCommon(rows);
  const byName = square === undefined ? more || (inCommon ?? 0) > 1 : inCommon === rows.length - 1;
  if (inCommon !== undefined && byName) {
    readCross(rows, readings, options);
    readings.layout = square === undefined ? "table of sources and destinations" : "square matrix";
    return;
  }
  if (square !== undefined) {
    readSquare(rows, square, readings, options);
    return;
  }
  throw misshapen(rows, options.name);
}

/** A table with a larger share of words is no matrix with a few odd cells. */
const MOST_WORDS = 0.25;

interface Square {
  headed: boolean;
  labelled: boolean;
}

/** Whether the first row names the nodes: words or running numbers, or a corner that is no number. */
function isHeader(cells: readonly string[], rows: number, below: readonly string[]): boolean {
  if (rows === cells.length + 1)
    return cells.every(isWord) || cells.every((cell, i) => Number(cell) === i || Number(cell) === i + 1);
  if (rows !== cells.length) return rows === cells.length + 2 && cells.every(isWord);
  const corner = cells[0] ?? "";
  if (isNumber(corner)) return false;
  return cells.slice(1).every(isWord) || (isWord(corner) && isWord(below[0] ?? "")) || below[1] !== "";
}

/** Undefined if it is no square of numbers. */
function squareOf(rows: readonly TextRow[]): Square | undefined {
  const [first, second] = rows;
  if (first === undefined) return undefined;
  const headed = rows.length > 1 && isHeader(first.cells, rows.length, second?.cells ?? []);
  const size = headed ? rows.length - 1 : rows.length;
  const data = headed ? rows.slice(1) : rows;
  const width = data[0]?.cells.length ?? 0;
  const labelled = width === size + 1;
  if (size < 2 || width - Number(labelled) !== size || data.some(({ cells }) => cells.length !== width))
    return undefined;
  if (isList(data)) return undefined;
  const words = data.reduce((sum, { cells }) => sum + cells.slice(Number(labelled)).filter(isWord).length, 0);
  if (words > MOST_WORDS * size * size) return undefined;
  return { headed, labelled };
}

/** Three lines of `i j microseconds` are no square of three nodes: nothing takes time to itself. */
function isList(rows: readonly TextRow[]): boolean {
  if (rows.length !== 3 && rows.length !== 2) return false;
  const whole = (cell: string | undefined): boolean => /^\d+$/.test(cell ?? "");
  const others = rows.every(({ cells }) => whole(cells[0]) && whole(cells[1]) && cells[0] !== cells[1]);
  const away = rows.some(({ cells }, i) => Number(cells[i + (cells.length - rows.length)] ?? 0) !== 0);
  return others && away && rows.every(({ cells }) => cells.length === 3);
}

function readSquare(
  rows: readonly TextRow[],
  { headed, labelled }: Square,
  readings: Readings,
  options: LayoutOptions,
): void {
  const data = headed ? rows.slice(1) : rows;
  const header = headed ? (rows[0]?.cells ?? []) : [];
  const size = data.length;
  const skip = Number(labelled);
  readings.layout = "square matrix";
  readings.named = headed || labelled;
  if (headed) readings.say(unitOfName(header.length > size ? (header[0] ?? "") : ""), "of its corner");
  const names = data.map(
    ({ cells }, i) => (labelled ? cells[0] : undefined) || header[header.length - size + i] || `n${i}`,
  );
  if (new Set(names.map((label) => readings.node(label))).size < size) {
    throw new MatrixError(
      "MATRIX_AMBIGUOUS",
      `${options.name} names two of its ${size} nodes alike; every node needs a name of its own`,
    );
  }
  data.forEach(({ cells, line }, i) => {
    for (let j = 0; j < size; j++)
      if (i !== j) put(readings, i, j, cells[j + skip] ?? "", { line, column: j + skip + 1 }, options);
  });
}

/** How many of the names in the first row are in the first column too; undefined unless these are names. */
function namesInCommon(rows: readonly TextRow[]): number | undefined {
  const [first, ...body] = rows;
  if (first === undefined || body.length === 0) return undefined;
  const across = new Set(first.cells.slice(1).filter(isWord).map(labelKey));
  const down = body.map(({ cells }) => labelKey(cells[0] ?? ""));
  if (across.size === 0 || across.size < first.cells.length / 2) return undefined;
  return new Set(down.filter((label) => across.has(label))).size;
}

function readCross(rows: readonly TextRow[], readings: Readings, options: LayoutOptions): void {
  const [header, ...body] = rows;
  if (header === undefined) return;
  readings.say(unitOfName(header.cells[0] ?? ""), "of its corner");
  const sources = new Set(body.map(({ cells }) => labelKey(cells[0] ?? "")));
  for (const { cells } of body) if ((cells[0] ?? "") !== "") readings.node(cells[0] ?? "");
  /** Columns that no row is named after may be means or notes, unless they hold numbers only. */
  const columns = header.cells.map((label, j) => {
    if (j === 0 || label === "") return undefined;
    if (sources.has(labelKey(label))) return label;
    const numeric = body.every(({ cells }) => readCell(cells[j] ?? "") !== undefined);
    return numeric && !/^(avg|average|mean|median|min|max|total|sum)\b/i.test(label) ? label : undefined;
  });
  for (const { cells, line } of body) {
    const source = cells[0] ?? "";
    if (source === "") continue;
    const from = readings.node(source);
    columns.forEach((label, j) => {
      if (label === undefined) return;
      const to = readings.node(label);
      if (from !== to) put(readings, from, to, cells[j] ?? "", { line, column: j + 1 }, options);
    });
  }
}

/** One half of a square, with or without its diagonal: rows that grow or shrink by one. */
function readTriangle(rows: readonly TextRow[], readings: Readings, options: LayoutOptions): boolean {
  const [first, second] = rows;
  if (first === undefined || second === undefined) return false;
  const headed = first.cells.length > 1 && first.cells.slice(1).every(isWord) && first.cells.some(isWord);
  const data = headed ? rows.slice(1) : rows;
  const labelled = data.every(({ cells }) => isWord(cells[0] ?? ""));
  const skip = Number(labelled);
  const lengths = data.map(({ cells }) => cells.length - skip);
  const grows = lengths.every((length, i) => i === 0 || length === (lengths[i - 1] ?? 0) + 1);
  const shrinks = lengths.every((length, i) => i === 0 || length === (lengths[i - 1] ?? 0) - 1);
  const least = Math.min(...lengths);
  if ((!grows && !shrinks) || least > 1 || data.length < 2) return false;
  const most = Math.max(...lengths);
  // With its diagonal every row has one number more, 0 or nothing.
  const diagonal = data.every(({ cells }) => {
    const cell = readCell((grows ? cells.at(-1) : cells[skip]) ?? "");
    return cell !== undefined && (cell.type === "missing" || cell.value === 0);
  });
  const size = diagonal || least === 0 ? most + Number(!diagonal) : most + 1;
  const header = headed ? first.cells.slice(first.cells.length > size ? 1 : 0) : [];
  readings.layout = `${grows ? "lower" : "upper"} triangle`;
  readings.named = headed || labelled;
  const shift = grows && !diagonal && least === 1 ? 1 : 0;
  const names = Array.from(
    { length: size },
    (_, i) => header[i] ?? (labelled ? data[i - shift]?.cells[0] : undefined) ?? `n${i}`,
  );
  for (const label of names) readings.node(label);
  data.forEach(({ cells, line }, row) => {
    const i = row + shift;
    for (let k = 0; k < (lengths[row] ?? 0); k++) {
      const j = grows ? k : i + k + Number(!diagonal);
      if (i !== j) put(readings, i, j, cells[k + skip] ?? "", { line, column: k + skip + 1 }, options);
    }
  });
  return true;
}

interface Position {
  line: number;
  column: number;
}

function put(
  readings: Readings,
  from: number,
  to: number,
  text: string,
  { line, column }: Position,
  { name }: LayoutOptions,
): void {
  const at = { row: line, column };
  const where = `${name} row ${line}, column ${column}`;
  const cell = readCell(text);
  if (cell === undefined)
    throw new MatrixError("MATRIX_NOT_A_NUMBER", `${where} is "${text.slice(0, 40)}", not a round trip`, at);
  if (cell.type === "missing") return;
  if (cell.value < 0)
    throw new MatrixError(
      "MATRIX_NEGATIVE",
      `${where} is ${cell.value}; a round trip cannot be negative`,
      at,
    );
  readings.add(from, to, cell.value, cell.unit);
}

function misshapen(rows: readonly TextRow[], name: string): MatrixError {
  const width = mostCommonWidth(rows);
  const ragged = rows.find(({ cells }) => cells.length !== width);
  if (ragged !== undefined && rows.length > 2)
    return new MatrixError(
      "MATRIX_RAGGED_ROW",
      `${name} row ${ragged.line} has ${ragged.cells.length} columns, most have ${width}. Readable: ${READABLE_LAYOUTS}`,
      { row: ragged.line },
    );
  if (rows.length < 2)
    return new MatrixError("MATRIX_TOO_SMALL", `${name} has one row; at least 2 nodes are needed`);
  return new MatrixError(
    "MATRIX_NOT_SQUARE",
    `${name} has ${rows.length} rows of ${width} columns. Readable: ${READABLE_LAYOUTS}`,
    { row: rows[0]?.line ?? 1 },
  );
}
