/** One measured figure: what, how much, against which aim. */
export interface Row {
  group: string;
  figure: string;
  value: number;
  unit: string;
  /** The aim, as a largest (`max`) or smallest (`min`) value. */
  aim?: { max: number } | { min: number };
}

export function met(row: Row): boolean | undefined {
  if (row.aim === undefined) return undefined;
  return "max" in row.aim ? row.value <= row.aim.max : row.value >= row.aim.min;
}

/** Linear interpolation between order statistics. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (at - Math.floor(at)) * (high - low);
}
