/**
 * What coordinates cannot show of the way between two sites (a detour, a private link): the mean residual of the
 * players near one host towards another. Filled while players are gone over, used once all had their turn.
 */

/** So many players of no residual are believed before the first is seen. */
const PRIOR_PLAYERS = 1;

export class PathBias {
  /** By the host a player is nearest to: mean residual towards each host, by slot. */
  #rows: (Float32Array | undefined)[] = [];
  #sums: (Float64Array | undefined)[] = [];
  #counts: (Float64Array | undefined)[] = [];
  /** Grows with every change of what `row` gives. */
  version = 0;

  /** Undefined where nothing is known. */
  row(cell: number): Float32Array | undefined {
    return this.#rows[cell];
  }

  add(cell: number, host: number, residual: number, hosts: number): void {
    let sums = this.#sums[cell];
    let counts = this.#counts[cell];
    if (sums === undefined || counts === undefined || sums.length <= host) {
      sums = resized(sums, hosts);
      counts = resized(counts, hosts);
      this.#sums[cell] = sums;
      this.#counts[cell] = counts;
    }
    sums[host] = (sums[host] ?? 0) + residual;
    counts[host] = (counts[host] ?? 0) + 1;
  }

  /** What was added since the last turn is what holds now. */
  turn(): void {
    this.#rows = [];
    this.#sums.forEach((sums, cell) => {
      const counts = this.#counts[cell];
      const row = new Float32Array(sums?.length ?? 0);
      for (let h = 0; h < row.length; h++) {
        row[h] = (sums?.[h] ?? 0) / ((counts?.[h] ?? 0) + PRIOR_PLAYERS);
      }
      this.#rows[cell] = row;
    });
    this.#sums = [];
    this.#counts = [];
    this.version++;
  }

  /** A slot changes hands. */
  forget(host: number): void {
    for (const cells of [this.#rows, this.#sums, this.#counts]) {
      cells[host] = undefined;
      for (const row of cells) if (row !== undefined && host < row.length) row[host] = 0;
    }
    this.version++;
  }
}

function resized(values: Float64Array | undefined, length: number): Float64Array {
  const grown = new Float64Array(length);
  if (values !== undefined) grown.set(values);
  return grown;
}
