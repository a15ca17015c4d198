/** JSON of round trips: matrices with their labels beside them, lists of measurements, regions within regions. */
import { readLong } from "./long-table.js";
import { MatrixError, READABLE_LAYOUTS } from "./matrix-error.js";
import type { Readings } from "./readings.js";
import { type LayoutOptions, readTable } from "./table-layout.js";
import type { TextRow, TextTable } from "./text-tables.js";
import { readCell, unitOfName, unitOfProse } from "./unit.js";

type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);
const isRecord = (value: Json | undefined): value is { readonly [key: string]: Json } =>
  typeof value === "object" && value !== null && !isList(value);

/** Undefined if the text is no JSON, nor JSON line by line. */
export function parseJson(text: string): Json | undefined {
  const trimmed = text.replace(/^\uFEFF/, "").trim();
  if (!/^[[{]/.test(trimmed)) return undefined;
  try {
    return JSON.parse(trimmed) as Json;
  } catch {
    try {
      return trimmed
        .split(/\r?\n/)
        .filter((line) => line.trim() !== "")
        .map((line) => JSON.parse(line) as Json);
    } catch {
      return undefined;
    }
  }
}

/** @throws MatrixError */
export function readJson(json: Json, readings: Readings, options: LayoutOptions): void {
  sayUnit(json, readings);
  const found = matrixIn(json, undefined);
  if (found !== undefined) {
    const size = found.rows.length;
    const rows = found.rows.map(
      (row, i): TextRow => ({ cells: isList(row) ? row.map(cellOf) : [], line: i + 1 }),
    );
    const labels = found.labels?.length === size ? found.labels : undefined;
    const headed = labels === undefined ? rows : [{ cells: labels, line: 0 }, ...rows];
    readTable(tableOf(headed), readings, options, false);
    return;
  }
  const list = listIn(json);
  if (list !== undefined && readLong(tableOf(recordRows(list)), readings, options)) return;
  readNested(json, readings, options);
}

const cellOf = (value: Json | undefined): string =>
  typeof value === "number" || typeof value === "string" ? String(value) : "";

const tableOf = (rows: readonly TextRow[]): TextTable => ({
  markdown: false,
  head: rows,
  each: (take) => rows.forEach(take),
});

/** A key such as `unit` says it anywhere. */
function sayUnit(json: Json, readings: Readings): void {
  if (isList(json)) {
    for (const item of json.slice(0, 2)) sayUnit(item, readings);
    return;
  }
  if (!isRecord(json)) return;
  for (const [key, value] of Object.entries(json)) {
    if (typeof value === "string" && /unit/i.test(key)) readings.say(unitOfName(value), `of "${key}"`);
    else if (typeof value === "string" && /description|comment|note|title/i.test(key))
      readings.say(unitOfProse(value), `of "${key}"`);
    else if (isRecord(value) && Object.keys(json).length < 16) sayUnit(value, readings);
  }
}

interface FoundMatrix {
  rows: readonly Json[];
  labels: readonly string[] | undefined;
}

/** Rows of numbers, with the strings or named things beside them as labels. */
function matrixIn(json: Json, labels: readonly string[] | undefined): FoundMatrix | undefined {
  if (isList(json)) {
    const numbers =
      json.length > 1 && json.every((row) => isList(row) && row.every((cell) => !isRecord(cell)));
    // Rows of two names and a number are measurements.
    const named = json.every(
      (row) => isList(row) && typeof row[0] === "string" && typeof row[1] === "string",
    );
    return numbers && !(named && json.some((row) => isList(row) && row.length > 2))
      ? { rows: json, labels }
      : undefined;
  }
  if (!isRecord(json)) return undefined;
  const beside = Object.values(json).flatMap((value) => (isList(value) ? [namesOf(value)] : []));
  const names = beside.find((of) => of !== undefined) ?? labels;
  for (const [key, value] of Object.entries(json)) {
    const found = matrixIn(value, names);
    if (found === undefined) continue;
    return found.rows.length > 1 ? found : { ...found, labels: [key] };
  }
  return undefined;
}

function namesOf(list: readonly Json[]): string[] | undefined {
  const names = list.map((item) =>
    isRecord(item) ? nameOf(item) : typeof item === "string" ? item : undefined,
  );
  return list.length > 1 && names.every((name) => name !== undefined) ? names : undefined;
}

const NAME_KEYS = [
  "name",
  "region",
  "label",
  "id",
  "code",
  "source",
  "from",
  "destination",
  "to",
  "node",
  "city",
];

function nameOf(record: { readonly [key: string]: Json }): string | undefined {
  for (const key of NAME_KEYS) {
    const value = record[key];
    if (typeof value === "string" || typeof value === "number") return String(value);
  }
  const [only, ...others] = Object.values(record).filter((value) => typeof value === "string");
  return others.length === 0 ? only : undefined;
}

/** The longest list of records or of rows that begin with two names. */
function listIn(json: Json): readonly Json[] | undefined {
  if (isList(json))
    return json.length > 1 && json.every((item) => isRecord(item) || isList(item)) ? json : undefined;
  if (!isRecord(json)) return undefined;
  const lists = Object.values(json).flatMap((value) => listIn(value) ?? []).length;
  if (lists === 0) return undefined;
  return Object.values(json)
    .map(listIn)
    .reduce((longest, list) => ((list?.length ?? 0) > (longest?.length ?? 0) ? list : longest), undefined);
}

/** Records as a table whose header is their keys, those of records within with a dot. */
function recordRows(list: readonly Json[]): TextRow[] {
  const flat = list.map((item) => {
    const cells = new Map<string, string>();
    const walk = (value: Json, path: string): void => {
      if (isRecord(value))
        for (const [key, of] of Object.entries(value)) walk(of, path === "" ? key : `${path}.${key}`);
      else if (isList(value) && path === "") for (const [i, of] of value.entries()) walk(of, String(i));
      else if (!isList(value)) cells.set(path, cellOf(value));
    };
    walk(item, "");
    return cells;
  });
  const keys = [...new Set(flat.flatMap((cells) => [...cells.keys()]))];
  const rows = flat.map((cells, i) => ({ cells: keys.map((key) => cells.get(key) ?? ""), line: i + 1 }));
  return list.every(isRecord) ? [{ cells: keys, line: 0 }, ...rows] : rows;
}

interface Leaf {
  path: string[];
  text: string;
}

/** Numbers within regions within regions; of lists of records each goes by its name. */
function leavesOf(json: Json, path: string[], leaves: Leaf[]): void {
  if (isRecord(json))
    for (const [key, value] of Object.entries(json)) leavesOf(value, [...path, key], leaves);
  else if (isList(json))
    json.forEach((value, i) => {
      const name = isRecord(value) ? nameOf(value) : undefined;
      const rest = isRecord(value)
        ? Object.fromEntries(Object.entries(value).filter(([, of]) => of !== name || typeof of === "object"))
        : value;
      leavesOf(rest, [...path, name ?? String(i)], leaves);
    });
  else if (typeof json !== "boolean") {
    const text = cellOf(json);
    if (readCell(text) !== undefined) leaves.push({ path, text });
  }
}

const PREFERRED_KEYS = [/median|p_?50$|50th/i, /avg|average|mean/i, /^rtt|rtt$|latency|ping/i, /^min/i];

function readNested(json: Json, readings: Readings, { name, value }: LayoutOptions): void {
  const all: Leaf[] = [];
  leavesOf(json, [], all);
  const depths = new Map<number, number>();
  for (const { path } of all) depths.set(path.length, (depths.get(path.length) ?? 0) + 1);
  const [depth = 0] = [...depths].sort(([, a], [, b]) => b - a)[0] ?? [];
  const leaves = all.filter(({ path }) => path.length === depth);
  // The two levels that have the same keys are the nodes.
  const keys = Array.from(
    { length: depth },
    (_, level) => new Set(leaves.map(({ path }) => path[level] ?? "")),
  );
  let nodes: { from: number; to: number; shared: number } | undefined;
  for (let from = 0; from < depth; from++)
    for (let to = from + 1; to < depth; to++) {
      const shared = [...(keys[from] ?? [])].filter((key) => keys[to]?.has(key) === true).length;
      if (shared > (nodes?.shared ?? 1)) nodes = { from, to, shared };
    }
  if (nodes === undefined)
    throw new MatrixError(
      "MATRIX_UNREADABLE",
      `${name}: no round trips found in this JSON. Readable: ${READABLE_LAYOUTS}`,
    );
  const { from, to } = nodes;
  const restOf = ({ path }: Leaf): string =>
    path.filter((_, level) => level !== from && level !== to).join(".");
  const choices = [...new Set(leaves.map(restOf))];
  const last = (choice: string): string => choice.split(".").at(-1) ?? "";
  const asked =
    value === undefined ? undefined : choices.find((choice) => choice === value || last(choice) === value);
  const preferred = PREFERRED_KEYS.map((key) => choices.filter((choice) => key.test(last(choice)))).find(
    (found) => found.length > 0,
  );
  const chosen =
    asked ?? (choices.length === 1 ? choices[0] : preferred?.length === 1 ? preferred[0] : undefined);
  if (chosen === undefined || (value !== undefined && asked === undefined))
    throw new MatrixError(
      "MATRIX_AMBIGUOUS",
      `${name} has several round trips for each pair: choose one with --value ${choices.slice(0, 12).join(", ")}`,
    );
  readings.layout = choices.length > 1 ? `nested JSON (${chosen})` : "nested JSON";
  readings.say(unitOfName(chosen), `of "${chosen}"`);
  for (const leaf of leaves) {
    if (restOf(leaf) !== chosen) continue;
    const cell = readCell(leaf.text);
    const a = readings.node(leaf.path[from] ?? "");
    const b = readings.node(leaf.path[to] ?? "");
    if (cell?.type !== "number") continue;
    if (cell.value < 0)
      throw new MatrixError("MATRIX_NEGATIVE", `${name}: ${leaf.path.join(" / ")} is ${cell.value}`);
    readings.add(a, b, cell.value, cell.unit);
  }
}
