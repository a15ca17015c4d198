/** Which hosts have moved in latency space, for those who keep something that depends on where hosts are. */

/** Moves remembered, as many hosts may move at once; who missed more starts over. */
const REMEMBERED = 256;
const NONE: readonly number[] = [];

export class HostMoves {
  readonly #last = new Int32Array(REMEMBERED);
  count = 0;

  add(slot: number): void {
    this.#last[this.count++ % REMEMBERED] = slot;
  }

  /** Slots that moved since `count` was this, with repetitions; undefined if it is too long ago. */
  since(count: number): readonly number[] | undefined {
    const missed = this.count - count;
    if (missed === 0) return NONE;
    if (missed > REMEMBERED) return undefined;
    return Array.from({ length: missed }, (_, i) => this.#last[(count + i) % REMEMBERED] ?? 0);
  }
}
