/** Strings of others on a terminal: what would move the cursor, change colours or turn text around is shown instead. */

/** Controls, C0 and C1 (ECMA-48), separators of lines, and marks that turn the direction of text (UAX #9). */
const ACTIVE = /[\p{Cc}\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu;

const shown = (char: string): string => `\\u${(char.codePointAt(0) ?? 0).toString(16).padStart(4, "0")}`;

/** The text on one line, with nothing in it that a terminal would obey. */
export const printable = (text: string): string => text.replaceAll(ACTIVE, shown);

/** The same for every string in plain data. */
export function printableValues<T>(value: T): T {
  return walk(value) as T;
}

function walk(value: unknown): unknown {
  if (typeof value === "string") return printable(value);
  if (Array.isArray(value)) return value.map(walk);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [printable(key), walk(part)]));
}
