/**
 * What coordinates cannot show of the way between two sites (a detour, a private link): the mean residual of the
 * players near one host towards another. Filled while players are gone over, used once all had their turn.
 */

/** So many players of no residual are believed before the first is seen. */
const PRIOR_PLAYERS = 1;
/** A change of so much, in roots of ms, is taken into use: 2 ms of a path of 100 ms. */
const STEP = 0.2;

export class PathBias {
  /** By the host a player is nearest to: mean residual towards each host, by slot. */
  #rows: (Float32Array | undefined)[] = [];
  /** What was added since the last turn, by cell and host: few of many hosts are measured from a cell. */
  #sums = new Map<number, Map<number, { sum: number; count: number }>>();
  /** By cell: grows with every change of what `row` gives there. */
  readonly #versions: number[] = [];
  /** Grows with every change of any. */
  version = 0;

  /** Grows with every change of `row(cell)`. */
  versionOf(cell: number): number {
    return this.#versions[cell] ?? 0;
  }

  /** Undefined where nothing is known. */
  row(cell: number): Float32Array | undefined {
    return this.#rows[cell];
  }

  add(cell: number, host: number, residual: number): void {
    let sums = this.#sums.get(cell);
    if (sums === undefined) {
      sums = new Map();
      this.#sums.set(cell, sums);
    }
    const known = sums.get(host);
    if (known === undefined) sums.set(host, { sum: residual, count: 1 });
    else {
      known.sum += residual;
      known.count++;
    }
  }

  /** What was added since the last turn is what holds now, where it is notably different: all of a cell are fit anew. */
  turn(hosts: number): void {
    const sums = this.#sums;
    this.#sums = new Map();
    for (let cell = 0; cell < this.#rows.length; cell++)
      if (this.#rows[cell] !== undefined && !sums.has(cell)) this.#publish(cell, undefined);
    for (const [cell, added] of sums) {
      const row = new Float32Array(hosts);
      for (const [host, { sum, count }] of added) row[host] = sum / (count + PRIOR_PLAYERS);
      if (isNotable(this.#rows[cell], row)) this.#publish(cell, row);
    }
  }

  /** A slot changes hands. */
  forget(host: number): void {
    this.#sums.delete(host);
    for (const sums of this.#sums.values()) sums.delete(host);
    this.#rows[host] = undefined;
    this.#rows.forEach((row, cell) => {
      if (row !== undefined && host < row.length) row[host] = 0;
      this.#publish(cell, row);
    });
  }

  #publish(cell: number, row: Float32Array | undefined): void {
    this.#rows[cell] = row;
    this.#versions[cell] = this.versionOf(cell) + 1;
    this.version++;
  }
}

function isNotable(before: Float32Array | undefined, now: Float32Array): boolean {
  for (let h = 0; h < Math.max(before?.length ?? 0, now.length); h++)
    if (Math.abs((now[h] ?? 0) - (before?.[h] ?? 0)) > STEP) return true;
  return false;
}
