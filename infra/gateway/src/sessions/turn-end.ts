/** Writes that wait for the end of this turn of the event loop, so that a socket is written to once in it. */

export interface Flushable {
  flush(): void;
}

export class TurnEnd {
  readonly #afterTurn: (then: () => void) => void;
  #waiting: Flushable[] = [];

  /** @param afterTurn runs what it is given when the turn is over: Node's `setImmediate` */
  constructor(afterTurn: (then: () => void) => void) {
    this.#afterTurn = afterTurn;
  }

  /** @param who asks once until it is flushed */
  flushLater(who: Flushable): void {
    if (this.#waiting.push(who) === 1) this.#afterTurn(this.#flush);
  }

  readonly #flush = (): void => {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const who of waiting) who.flush();
  };
}
