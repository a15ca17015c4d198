/** One measured figure: what, how much, against which aim. */
import { quantileOf } from "@centroid/placement";

export interface Row {
  group: string;
  figure: string;
  value: number;
  unit: string;
  /** Smallest and largest of several runs, of which `value` is the median. */
  between?: { min: number; max: number };
  /** The aim, as a largest (`max`) or smallest (`min`) value. */
  aim?: { max: number } | { min: number };
}

/** The median of several runs, and how far they lie apart. */
export function rowOf(group: string, figure: string, unit: string, values: readonly number[]): Row {
  const between = { min: Math.min(...values), max: Math.max(...values) };
  return { group, figure, unit, value: quantileOf([...values], 0.5), ...(values.length > 1 && { between }) };
}

export function met(row: Row): boolean | undefined {
  if (row.aim === undefined) return undefined;
  return "max" in row.aim ? row.value <= row.aim.max : row.value >= row.aim.min;
}
