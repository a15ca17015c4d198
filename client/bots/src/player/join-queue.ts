/**
 * Lets so many players of one program join at a time. A program that cannot keep up would otherwise ask for seats long before
 * it takes them, and for more at a time than a broker gives to one address.
 */
export class JoinQueue {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  constructor(atOnce: number) {
    this.#free = atOnce;
  }

  /** @param join is told how long it has waited for its turn */
  async run<T>(join: (waitedMs: number) => Promise<T>): Promise<T> {
    const askedAtMs = performance.now();
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await join(performance.now() - askedAtMs);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    }
  }
}
