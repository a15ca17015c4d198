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
  /** What its players have measured so far: hosts in the order in which they were first met. */
  hosts: number[];
  /** By slot: where in `hosts` it is, plus one; 0 if it is not. */
  places: Uint16Array | Uint32Array;
  /** By place in `hosts`: sum and count of what was added since the last turn. */
  added: Float64Array;
  /** By place in `hosts`: the bias. */
  biases: Float32Array;
  isAdded: boolean;
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
    const place = cell.places[host] ?? 0;
    const at = 2 * (place > 0 ? place - 1 : meet(cell, host));
    const { added } = cell;
    added[at] = (added[at] ?? 0) + residual;
    added[at + 1] = (added[at + 1] ?? 0) + 1;
    cell.isAdded = true;
  }

  /** What was added since the last turn is what holds now, where it is notably different: all of a cell are fit anew. */
  turn(hosts: number): void {
    for (const cell of this.#cells) {
      if (cell === undefined) continue;
      if (!cell.isAdded) {
        if (cell.bias !== undefined) this.#publish(cell, undefined);
        continue;
      }
      if (isNotable(cell)) this.#publish(cell, new Float32Array(hosts));
      clear(cell);
    }
  }

  /** A slot changes hands. */
  forget(host: number): void {
    for (const cell of this.#cells) {
      if (cell === undefined) continue;
      const place = (cell.places[host] ?? 0) - 1;
      if (place < 0) continue;
      cell.added.fill(0, 2 * place, 2 * place + 2);
      if (cell.biases[place] !== 0) this.#withdraw(cell, place);
    }
    const own = this.#cells[host];
    if (own === undefined) return;
    clear(own);
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
        hosts: [],
        places: new Uint16Array(0),
        added: new Float64Array(0),
        biases: new Float32Array(0),
        isAdded: false,
      };
      this.#cells[slot] = cell;
    }
    return cell;
  }

  /** @param row where what was added is put, by slot; nothing is known any more if it is undefined */
  #publish(cell: Cell, row: Float32Array | undefined): void {
    const { hosts, biases } = cell;
    let most = 0;
    let fall = 0;
    for (let place = 0; place < hosts.length; place++) {
      const now = row === undefined ? 0 : Math.fround(meanOf(cell, place));
      if (row !== undefined) row[hosts[place] ?? 0] = now;
      most = Math.max(most, Math.abs(now));
      fall = Math.max(fall, (biases[place] ?? 0) - now);
      biases[place] = now;
    }
    this.#changed(cell, row, most, fall);
  }

  /** The bias towards one host is none any more. */
  #withdraw(cell: Cell, place: number): void {
    const row = cell.bias?.slice();
    row?.fill(0, cell.hosts[place], (cell.hosts[place] ?? 0) + 1);
    const fall = Math.max(0, cell.biases[place] ?? 0);
    cell.biases[place] = 0;
    let most = 0;
    for (const bias of cell.biases) most = Math.max(most, Math.abs(bias));
    this.#changed(cell, row, most, fall);
  }

  #changed(cell: Cell, row: Float32Array | undefined, most: number, fall: number): void {
    cell.bias = row;
    cell.most = most;
    cell.fall += fall;
    cell.version++;
    this.version++;
  }
}

const meanOf = ({ added }: Cell, place: number): number =>
  (added[2 * place] ?? 0) / ((added[2 * place + 1] ?? 0) + PRIOR_PLAYERS);

/** @returns its place */
function meet(cell: Cell, host: number): number {
  const place = cell.hosts.push(host) - 1;
  if (host >= cell.places.length) {
    const length = host + (host >> 2) + 16;
    const places = length < 2 ** 16 ? new Uint16Array(length) : new Uint32Array(length);
    places.set(cell.places);
    cell.places = places;
  }
  cell.places[host] = place + 1;
  if (place >= cell.biases.length) {
    const added = new Float64Array(4 * place + 16);
    added.set(cell.added);
    cell.added = added;
    const biases = new Float32Array(2 * place + 8);
    biases.set(cell.biases);
    cell.biases = biases;
  }
  return place;
}

function clear(cell: Cell): void {
  cell.added.fill(0);
  cell.isAdded = false;
}

/** Hosts that nobody of the cell has met have no bias. */
function isNotable(cell: Cell): boolean {
  const { biases } = cell;
  for (let place = 0; place < cell.hosts.length; place++)
    if (Math.abs(Math.fround(meanOf(cell, place)) - (biases[place] ?? 0)) > STEP) return true;
  return false;
}
