/** Text as tables of cells: delimited by whatever it is delimited by, or Markdown; with the prose around them. */
import { CsvError, parse } from "csv-parse/sync";
import { MatrixError } from "./matrix-error.js";

export interface TextRow {
  cells: readonly string[];
  /** Line of the file, from 1. */
  line: number;
}

/** A table that may be too long to be in memory: its first rows, and a pass over all of them. */
export interface TextTable {
  markdown: boolean;
  /** The first rows, all of them if there are few. */
  head: readonly TextRow[];
  each: (take: (row: TextRow) => void) => void;
}

export interface TextTables {
  tables: TextTable[];
  /** Comments, and what stands around Markdown tables. */
  prose: string;
}

const HEAD_ROWS = 4_096;
const SAMPLED_LINES = 32;
const COMMENT = /^\s*(#|\/\/|%)/;
const MARKDOWN_RULE = /^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$/;
/** What databases put between header and rows. */
const RULE = /^\s*[-+|]*-{3}[-+|\s]*$/;
const DELIMITERS = ["\t", ";", "|", ","] as const;

/** @throws MatrixError on quotes that are never closed */
export function textTables(text: string, name: string): TextTables {
  const lines = text.replace(/^\uFEFF/, "").split(/\r\n|\r|\n/);
  const rule = lines.findIndex((line, i) => i > 0 && line.includes("|") && MARKDOWN_RULE.test(line));
  if (rule > 0 && (lines[rule - 1] ?? "").includes("|")) return markdownTables(lines);
  const prose: string[] = [];
  // Comments and rules are kept as blank lines, so that lines keep their numbers.
  const kept = lines.map((line) => {
    if (COMMENT.test(line)) prose.push(line.replace(COMMENT, " "));
    return COMMENT.test(line) || RULE.test(line) ? "" : line;
  });
  const delimited = kept.some((line) => line.trim() !== "") ? [delimitedTable(kept, name)] : [];
  return { tables: delimited, prose: prose.join("\n") };
}

function markdownTables(lines: readonly string[]): TextTables {
  const tables: TextTable[] = [];
  const prose: string[] = [];
  let rows: TextRow[] = [];
  const close = (): void => {
    const done = rows;
    if (done.length > 1) tables.push({ markdown: true, head: done, each: (take) => done.forEach(take) });
    rows = [];
  };
  lines.forEach((line, i) => {
    if (!line.includes("|")) {
      close();
      prose.push(line);
    } else if (!MARKDOWN_RULE.test(line)) rows.push({ cells: markdownCells(line), line: i + 1 });
  });
  close();
  return { tables, prose: prose.join("\n") };
}

function markdownCells(line: string): string[] {
  const inner = line
    .trim()
    .replace(/^\|/, "")
    .replace(/(?<!\\)\|$/, "");
  return inner.split(/(?<!\\)\|/).map((cell) =>
    cell
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/<[^>]*>/g, " ")
      .replace(/&nbsp;/g, " ")
      .replace(/[*`\\]/g, "")
      .trim(),
  );
}

function delimitedTable(lines: readonly string[], name: string): TextTable {
  const filled = lines.filter((line) => line.trim() !== "");
  // Lists may begin with many lines of another kind.
  const sample = [...filled.slice(0, SAMPLED_LINES), ...filled.slice(SAMPLED_LINES).slice(-SAMPLED_LINES)];
  const { delimiter, decimalComma, rewrite } = dialectOf(sample);
  const body = rewrite === undefined ? lines : lines.map(rewrite);
  const quoted = body.some((line) => line.includes('"'));
  const rows = (take: (row: TextRow) => void, to = Number.POSITIVE_INFINITY): void => {
    if (!quoted) {
      let taken = 0;
      for (let i = 0; i < body.length && taken < to; i++) {
        const cells = (body[i] ?? "").split(delimiter).map((cell) => cell.trim());
        if (cells.length === 1 && cells[0] === "") continue;
        take({ cells: decimalComma ? cells.map(withPoint) : cells, line: i + 1 });
        taken++;
      }
      return;
    }
    try {
      parse(body.join("\n"), {
        delimiter,
        relax_column_count: true,
        skip_empty_lines: true,
        trim: true,
        ...(Number.isFinite(to) && { to }),
        on_record: (record, { lines: line }) => {
          take({ cells: decimalComma ? record.map(withPoint) : record, line });
          return null;
        },
      });
    } catch (cause) {
      if (!(cause instanceof CsvError)) throw cause;
      const line = typeof cause.lines === "number" ? cause.lines : undefined;
      throw new MatrixError(
        "MATRIX_BAD_QUOTES",
        `${name}${line === undefined ? "" : ` row ${line}`} has a quote that is never closed or in a wrong place`,
        line === undefined ? {} : { row: line },
      );
    }
  };
  const head: TextRow[] = [];
  rows((row) => head.push(row), HEAD_ROWS);
  // A delimiter at the end of every line makes no column.
  const trailing = head.length > 1 && head.every(({ cells }) => cells.length > 1 && cells.at(-1) === "");
  const clean = (row: TextRow): TextRow =>
    trailing && row.cells.at(-1) === "" ? { ...row, cells: row.cells.slice(0, -1) } : row;
  return {
    markdown: false,
    head: head.map(clean),
    each: (take) => {
      if (head.length < HEAD_ROWS) for (const row of head) take(clean(row));
      else rows((row) => take(clean(row)));
    },
  };
}

const withPoint = (cell: string): string => (/^[-+]?\d+,\d+$/.test(cell) ? cell.replace(",", ".") : cell);

interface Dialect {
  delimiter: string;
  decimalComma: boolean;
  /** Of each line first. */
  rewrite: ((line: string) => string) | undefined;
}

function dialectOf(sample: readonly string[]): Dialect {
  const bare = sample.map((line) => line.replace(/"[^"]*"/g, '""'));
  const has = (delimiter: string): boolean =>
    2 * bare.filter((line) => line.includes(delimiter)).length >= bare.length;
  const delimiter = DELIMITERS.find(has);
  if (delimiter !== undefined && delimiter !== ",")
    return { delimiter, decimalComma: bare.some((line) => /\d,\d/.test(line)), rewrite: undefined };
  const words = bare
    .filter((line) => delimiter === undefined || line.includes(delimiter))
    .map((line) => line.trim().split(/\s+/));
  const spaced = words.every((of) => of.length > 1 && of.every((word) => !/,$|^,/.test(word)));
  if (delimiter === "," && !(spaced && words.every((of) => !/[\p{L}"]/u.test(of.join("")))))
    return { delimiter, decimalComma: false, rewrite: undefined };
  const decimalComma = words.every((of) => of.every((word) => /^[-+]?\d+(,\d+)?$/.test(word)));
  // Some lists have both: "1,2 12345".
  const either = delimiter === "," && !words.every((of) => of.every((word) => word.includes(",")));
  const gaps = either ? /[\s,]+/g : /\s+/g;
  const rewrite = (line: string): string =>
    line
      .trim()
      .split(/("[^"]*")/)
      .map((part, i) => (i % 2 === 0 ? part.replace(gaps, "\t") : part))
      .join("");
  return { delimiter: "\t", decimalComma: decimalComma && !either, rewrite };
}

export function mostCommonWidth(rows: readonly TextRow[]): number {
  const widths = new Map<number, number>();
  for (const { cells } of rows) widths.set(cells.length, (widths.get(cells.length) ?? 0) + 1);
  return [...widths].sort(([, a], [, b]) => b - a)[0]?.[0] ?? 0;
}
