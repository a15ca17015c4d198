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
