/**
 * What coordinates cannot show of the way between two sites (a detour, a private link): the mean residual of the
 * players near one host towards another. Filled while players are gone over, used once all had their turn.
 */

/** So many players of no residual are believed before the first is seen. */
const PRIOR_PLAYERS = 1;
/** A change of so much, in roots of ms, is taken into use: 2 ms of a path of 100 ms. */
const STEP = 0.2;

/** The players near one host. */
interface Cell {
  /** Mean residual towards each host, by slot; undefined where nothing is known. */
  bias: Float32Array | undefined;
  /** The largest of it, up or down. */
  most: number;
  /** By how much any of it has fallen in all; only grows. */
  fall: number;
  /** Grows with every change of `bias`. */
  version: number;
  /** What was added since the last turn, by slot. */
  sums: Float64Array;
  counts: Uint32Array;
  added: boolean;
}

export class PathBias {
  /** By the host that players are nearest to. */
  readonly #cells: (Cell | undefined)[] = [];
  /** Grows with every change of any. */
  version = 0;

  /** Grows with every change of `row(cell)`. */
  versionOf(cell: number): number {
    return this.#cells[cell]?.version ?? 0;
  }

  /** Undefined where nothing is known. */
  row(cell: number): Float32Array | undefined {
    return this.#cells[cell]?.bias;
  }

  /** The largest bias of a cell, up or down. */
  mostOf(cell: number): number {
    return this.#cells[cell]?.most ?? 0;
  }

  /** By how much any bias of the cell has fallen since the beginning: of two answers the difference tells. */
  fallOf(cell: number): number {
    return this.#cells[cell]?.fall ?? 0;
  }

  add(slot: number, host: number, residual: number): void {
    if (slot < 0) return;
    const cell = this.#cell(slot);
    if (host >= cell.sums.length) widen(cell, 2 * host + 16);
    cell.sums[host] = (cell.sums[host] ?? 0) + residual;
    cell.counts[host] = (cell.counts[host] ?? 0) + 1;
    cell.added = true;
  }

  /** What was added since the last turn is what holds now, where it is notably different: all of a cell are fit anew. */
  turn(hosts: number): void {
    for (const cell of this.#cells) {
      if (cell === undefined) continue;
      if (!cell.added) {
        if (cell.bias !== undefined) this.#publish(cell, undefined);
        continue;
      }
      if (hosts > cell.sums.length) widen(cell, hosts);
      if (isNotable(cell, hosts)) {
        const bias = new Float32Array(hosts);
        for (let host = 0; host < hosts; host++) bias[host] = meanOf(cell, host);
        this.#publish(cell, bias);
      }
      cell.sums.fill(0);
      cell.counts.fill(0);
      cell.added = false;
    }
  }

  /** A slot changes hands. */
  forget(host: number): void {
    for (const cell of this.#cells) {
      if (cell === undefined) continue;
      cell.sums[host] = 0;
      cell.counts[host] = 0;
      if ((cell.bias?.[host] ?? 0) !== 0) this.#publish(cell, withoutHost(cell.bias, host));
    }
    const own = this.#cells[host];
    if (own === undefined) return;
    own.added = false;
    own.sums.fill(0);
    own.counts.fill(0);
    this.#publish(own, undefined);
  }

  #cell(slot: number): Cell {
    let cell = this.#cells[slot];
    if (cell === undefined) {
      cell = {
        bias: undefined,
        most: 0,
        fall: 0,
        version: 0,
        sums: new Float64Array(0),
        counts: new Uint32Array(0),
        added: false,
      };
      this.#cells[slot] = cell;
    }
    return cell;
  }

  #publish(cell: Cell, bias: Float32Array | undefined): void {
    let most = 0;
    let fall = 0;
    for (let host = 0; host < Math.max(bias?.length ?? 0, cell.bias?.length ?? 0); host++) {
      const now = bias?.[host] ?? 0;
      most = Math.max(most, Math.abs(now));
      fall = Math.max(fall, (cell.bias?.[host] ?? 0) - now);
    }
    cell.bias = bias;
    cell.most = most;
    cell.fall += fall;
    cell.version++;
    this.version++;
  }
}

const meanOf = ({ sums, counts }: Cell, host: number): number =>
  (sums[host] ?? 0) / ((counts[host] ?? 0) + PRIOR_PLAYERS);

function withoutHost(bias: Float32Array | undefined, host: number): Float32Array | undefined {
  const without = bias?.slice();
  without?.fill(0, host, host + 1);
  return without;
}

function widen(cell: Cell, hosts: number): void {
  const sums = new Float64Array(hosts);
  sums.set(cell.sums);
  cell.sums = sums;
  const counts = new Uint32Array(hosts);
  counts.set(cell.counts);
  cell.counts = counts;
}

function isNotable(cell: Cell, hosts: number): boolean {
  const { bias } = cell;
  for (let host = 0; host < Math.max(hosts, bias?.length ?? 0); host++)
    if (Math.abs(Math.fround(meanOf(cell, host)) - (bias?.[host] ?? 0)) > STEP) return true;
  return false;
}
