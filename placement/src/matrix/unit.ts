/** Numbers with their units: as cells have them, as headers and prose say, and as the values themselves suggest. */
import { quantile } from "../latency/quantile.js";
import { MatrixError } from "./matrix-error.js";

export const RTT_UNITS = ["s", "ms", "us", "ns"] as const;
export type RttUnit = (typeof RTT_UNITS)[number];

export const MS_PER_UNIT: Readonly<Record<RttUnit, number>> = { s: 1_000, ms: 1, us: 1e-3, ns: 1e-6 };
export const UNIT_NAMES: Readonly<Record<RttUnit, string>> = {
  s: "seconds",
  ms: "ms",
  us: "microseconds",
  ns: "nanoseconds",
};

/** What programs write where nothing was measured. */
const NOTHING =
  /^(nan|null|nil|na|n\/a|#n\/a|none|undefined|timeout|timed out|lost|fail(ed)?|unreachable|x|\?|\*|\.|-+|–|—|[-+]?inf(inity)?|∞)?$/i;
/** Numbers that stand for nothing. */
const SENTINELS: ReadonlySet<number> = new Set([-1, -9, -99, -999, -9_999, -99_999]);
const NUMBER = /^[<≤>~≈]?\s*([-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*([a-zµμ]*)\.?$/i;
const THOUSANDS = /^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/;

export type Cell = { type: "number"; value: number; unit: RttUnit | undefined } | { type: "missing" };

/** @returns undefined for what is neither a number nor a word for a missing one */
export function readCell(text: string): Cell | undefined {
  const plainNumber = Number(text);
  // Most cells are: the rest is a hundred times as slow.
  if (plainNumber > 0 && plainNumber < Number.POSITIVE_INFINITY)
    return { type: "number", value: plainNumber, unit: undefined };
  const trimmed = text.trim();
  if (NOTHING.test(trimmed)) return { type: "missing" };
  const plain = THOUSANDS.test(trimmed) ? trimmed.replaceAll(",", "") : trimmed;
  const [, digits, word = ""] = NUMBER.exec(plain) ?? [];
  const unit = word === "" ? undefined : unitOfWord(word);
  if (digits === undefined || (word !== "" && unit === undefined)) return undefined;
  const value = Number(digits);
  if (SENTINELS.has(value) || !Number.isFinite(value)) return { type: "missing" };
  return { type: "number", value, unit };
}

export const isNumber = (text: string): boolean => readCell(text)?.type === "number";
/** A name rather than a number or a gap. */
export const isWord = (text: string): boolean => readCell(text) === undefined;

function unitOfWord(word: string): RttUnit | undefined {
  const lower = word.toLowerCase();
  if (/^(ms|msecs?|millis|milliseconds?)$/.test(lower)) return "ms";
  if (/^([uµμ]s|[uµμ]secs?|micros|microseconds?)$/.test(lower)) return "us";
  if (/^(s|secs?|seconds?)$/.test(lower)) return "s";
  if (/^(ns|nsecs?|nanos|nanoseconds?)$/.test(lower)) return "ns";
  return undefined;
}

/** The unit that the name of a column, a key or a corner ends with or has in brackets. */
export function unitOfName(name: string): RttUnit | undefined {
  const words = name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .split(/[^\p{L}]+/u)
    .filter((word) => word !== "");
  for (const word of words.reverse()) {
    const unit = unitOfWord(word);
    if (unit !== undefined) return unit;
  }
  return undefined;
}

/** The unit that prose or a file name speaks of, if it is one. "us" and "s" alone are too often something else. */
export function unitOfProse(text: string): RttUnit | undefined {
  const words = text.match(/\p{L}+/gu) ?? [];
  const units = new Set(words.filter((word) => !/^(us|s)$/i.test(word)).flatMap((w) => unitOfWord(w) ?? []));
  if (units.size > 1) {
    const [, named = ""] = /(?:\bin|\bunits?\b\s*[:=]?)\s+(\p{L}+)/iu.exec(text) ?? [];
    return unitOfWord(named);
  }
  return [...units][0];
}

/** Half of the round trips of a network lie between these, ms; below 1 ms they would be of one building. */
const BUILDING_MS = 1;
const SLOWEST_MEDIAN_MS = 1_500;
const SURELY_SMALLER_UNIT_MS = 5_000;
/** Round trips within a building are alike, those of a network are not: p95 is so many times p5. */
const ALIKE = 4;

/**
 * What round trips without a word on their unit are most likely in.
 * @throws MatrixError where two readings are as likely
 */
export function likelyUnit(values: readonly number[], name: string): RttUnit {
  const sorted = Float64Array.from(values.filter((value) => value > 0)).sort();
  const median = quantile(sorted, 0.5);
  const choose = (...units: RttUnit[]): MatrixError =>
    new MatrixError(
      "MATRIX_AMBIGUOUS",
      `${name} does not say its unit, and half of its round trips are below ${Number(median.toPrecision(3))}: ${units.map((unit) => `--unit ${unit}`).join(" or ")}?`,
    );
  if (sorted.length === 0 || (median >= BUILDING_MS && median < SLOWEST_MEDIAN_MS)) return "ms";
  if (median < BUILDING_MS) {
    const alike = quantile(sorted, 0.95) < ALIKE * quantile(sorted, 0.05);
    if (alike && median >= BUILDING_MS / 10) throw choose("s", "ms");
    return "s";
  }
  if (median < SURELY_SMALLER_UNIT_MS) throw choose("us", "ms");
  return median < SLOWEST_MEDIAN_MS / MS_PER_UNIT.us ? "us" : "ns";
}
