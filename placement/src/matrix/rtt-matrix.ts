/** Reads square matrices of round-trip times in ms from CSV text, and says where and why one is bad. */
import { splitCsv } from "./csv.js";
import { MatrixError } from "./matrix-error.js";

/** Round trips between `size` nodes; the one from i to j is `rttMs[i * size + j]`. */
export interface RttMatrix {
  size: number;
  labels: readonly string[];
  rttMs: Float64Array;
}

/** No path on Earth is longer; a larger number is most likely in another unit. */
const MAX_RTT_MS = 60_000;
/** What programs write for a missing number: a fault in the data, not a label. */
const NO_NUMBER = /^(nan|null|na|n\/a|none|-|[-+]?inf|[-+]?infinity)$/i;

const isNumber = (cell: string): boolean => cell !== "" && Number.isFinite(Number(cell));

/** Whether the first row names the nodes: words or running numbers, or a corner that is no number. */
function isHeader(cells: readonly string[], rows: number, below: readonly string[]): boolean {
  const isWord = (cell: string): boolean => cell !== "" && !isNumber(cell) && !NO_NUMBER.test(cell);
  if (rows === cells.length + 1)
    return cells.every(isWord) || cells.every((cell, i) => Number(cell) === i || Number(cell) === i + 1);
  const corner = cells[0] ?? "";
  if (rows !== cells.length || isNumber(corner)) return false;
  return cells.slice(1).every(isWord) || below[1] !== "";
}

/**
 * @param text CSV (comma, semicolon or tab), square, with or without a header row and a header column
 * @param name of the file, for messages
 * @throws MatrixError
 */
export function parseRttMatrix(text: string, name = "matrix"): RttMatrix {
  const rows = splitCsv(text, name);
  const first = rows[0];
  if (first === undefined)
    throw new MatrixError("MATRIX_EMPTY", `${name} is empty; give one row of round trips in ms per node`);
  const body = rows.slice(1);
  const headed = rows.length > 1 && isHeader(first.cells, rows.length, body[0]?.cells ?? []);
  const data = headed ? body : rows;
  const width = data[0]?.cells.length ?? 0;
  const labelled = width === data.length + 1;
  const skip = labelled ? 1 : 0;
  const size = data.length;
  if (size < 2)
    throw new MatrixError("MATRIX_TOO_SMALL", `${name} has ${size} node(s); at least 2 are needed`);

  const rttMs = new Float64Array(size * size);
  const labels: string[] = [];
  data.forEach(({ cells, line }, i) => {
    if (cells.length !== width)
      throw new MatrixError(
        "MATRIX_RAGGED_ROW",
        `${name} row ${line} has ${cells.length} columns, the first has ${width}; every row needs the same number`,
        { row: line },
      );
    if (cells.length - skip !== size)
      throw new MatrixError(
        "MATRIX_NOT_SQUARE",
        `${name} has ${size} rows of ${cells.length - skip} numbers; it must be square, one row and one column per node`,
        { row: line },
      );
    labels.push(
      (labelled ? cells[0] : undefined) ??
        (headed ? first.cells[first.cells.length - size + i] : undefined) ??
        `n${i}`,
    );
    for (let j = 0; j < size; j++)
      rttMs[i * size + j] = i === j ? 0 : cell(cells[j + skip] ?? "", name, line, j + skip + 1);
  });
  return { size, labels, rttMs };
}

function cell(text: string, name: string, row: number, column: number): number {
  const at = { row, column };
  const where = `${name} row ${row}, column ${column}`;
  if (text === "")
    throw new MatrixError("MATRIX_MISSING", `${where} is empty; leave out nodes that were not measured`, at);
  const value = Number(text);
  if (!Number.isFinite(value))
    throw new MatrixError(
      "MATRIX_NOT_A_NUMBER",
      `${where} is "${text.slice(0, 40)}", not a number of ms`,
      at,
    );
  if (value < 0)
    throw new MatrixError("MATRIX_NEGATIVE", `${where} is ${value}; a round trip cannot be negative`, at);
  if (value > MAX_RTT_MS)
    throw new MatrixError(
      "MATRIX_TOO_LARGE",
      `${where} is ${value}, more than ${MAX_RTT_MS} ms; are these microseconds? ms are expected`,
      at,
    );
  return value;
}

/** Several slices of the same nodes over time. @throws MatrixError if they are not of one size */
export function checkSlices(slices: readonly RttMatrix[]): void {
  const sizes = new Set(slices.map(({ size }) => size));
  if (slices.length === 0) throw new MatrixError("MATRIX_EMPTY", "no matrix given; at least one is needed");
  if (sizes.size > 1)
    throw new MatrixError(
      "MATRIX_SLICES_DIFFER",
      `the matrices have ${[...sizes].join(", ")} nodes; slices must be of the same nodes`,
    );
}
