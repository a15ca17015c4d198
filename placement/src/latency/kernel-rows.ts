/**
 * How much path every host shares with one, as a row by slot, so that a player's estimates of all hosts are a few
 * sums of rows. A row takes in the hosts that moved since it was last used.
 */
import { STRIDE } from "./node-space.js";
import { sharedPath } from "./player-model.js";

/** Moves remembered; who missed more starts over. */
const REMEMBERED = 64;

/** Which hosts' coordinates changed, in order. */
export class HostMoves {
  readonly #last = new Int32Array(REMEMBERED);
  count = 0;

  add(slot: number): void {
    this.#last[this.count++ % REMEMBERED] = slot;
  }

  /** Slots that moved since `count` was this, with repetitions; undefined if it is too long ago. */
  since(count: number): number[] | undefined {
    const missed = this.count - count;
    if (missed > REMEMBERED) return undefined;
    return Array.from({ length: missed }, (_, i) => this.#last[(count + i) % REMEMBERED] ?? 0);
  }
}

interface Row {
  shared: Float64Array;
  seen: number;
}

/** O(hosts) numbers for each host that players measure. */
export class KernelRows {
  readonly #moves: HostMoves;
  readonly #rows: (Row | undefined)[] = [];

  constructor(moves: HostMoves) {
    this.#moves = moves;
  }

  row(slot: number, end: number, hosts: Float64Array): Float64Array {
    let row = this.#rows[slot];
    if (row !== undefined && row.seen === this.#moves.count && row.shared.length >= end) return row.shared;
    const moved = row === undefined || row.shared.length < end ? undefined : this.#moves.since(row.seen);
    row ??= { shared: new Float64Array(0), seen: 0 };
    if (moved === undefined || moved.includes(slot)) {
      if (row.shared.length < end) row.shared = new Float64Array(hosts.length / STRIDE);
      for (let other = 0; other < end; other++) row.shared[other] = shared(hosts, slot, other);
    } else for (const other of moved) row.shared[other] = shared(hosts, slot, other);
    row.seen = this.#moves.count;
    this.#rows[slot] = row;
    return row.shared;
  }
}

function shared(hosts: Float64Array, a: number, b: number): number {
  const dx = (hosts[b * STRIDE] ?? 0) - (hosts[a * STRIDE] ?? 0);
  const dy = (hosts[b * STRIDE + 1] ?? 0) - (hosts[a * STRIDE + 1] ?? 0);
  const dz = (hosts[b * STRIDE + 2] ?? 0) - (hosts[a * STRIDE + 2] ?? 0);
  return sharedPath(dx * dx + dy * dy + dz * dz);
}
