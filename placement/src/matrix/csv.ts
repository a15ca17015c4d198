/** Splits CSV text into rows of trimmed cells; quotes may hold the delimiter. Blank and comment lines are skipped. */
import { MatrixError } from "./matrix-error.js";

export interface CsvRow {
  cells: string[];
  /** Line of the file, from 1. */
  line: number;
}

export function splitCsv(text: string, name: string): CsvRow[] {
  const rows: CsvRow[] = [];
  let delimiter: string | undefined;
  for (const [index, raw] of text
    .replace(/^\uFEFF/, "")
    .split(/\r\n|\r|\n/)
    .entries()) {
    if (raw.trim() === "" || raw.trimStart().startsWith("#")) continue;
    delimiter ??= raw.includes("\t") ? "\t" : raw.includes(";") ? ";" : ",";
    rows.push({ cells: splitLine(raw, delimiter, name, index + 1), line: index + 1 });
  }
  return rows;
}

function splitLine(raw: string, delimiter: string, name: string, line: number): string[] {
  if (!raw.includes('"')) return raw.split(delimiter).map((cell) => cell.trim());
  const cells: string[] = [];
  let cell = "";
  let quoted = false;
  for (const char of raw) {
    if (char === '"') quoted = !quoted;
    else if (char === delimiter && !quoted) {
      cells.push(cell.trim());
      cell = "";
    } else cell += char;
  }
  if (quoted)
    throw new MatrixError("MATRIX_BAD_QUOTES", `${name} row ${line} has a quote that is never closed`, {
      row: line,
    });
  cells.push(cell.trim());
  return cells;
}
