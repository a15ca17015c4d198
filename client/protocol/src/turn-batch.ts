/** Frames that are written in one turn of the event loop leave in one system call. */

/** The part of a Node stream that this needs. */
interface Corkable {
  cork(): void;
  uncork(): void;
}

export class TurnBatch {
  readonly #stream: Corkable;
  readonly #afterTurn: (then: () => void) => void;
  #corked = false;

  /** @param afterTurn runs what it is given when the turn is over: Node's `setImmediate` */
  constructor(stream: Corkable, afterTurn: (then: () => void) => void) {
    this.#stream = stream;
    this.#afterTurn = afterTurn;
  }

  /** To be called before each write. */
  open(): void {
    if (this.#corked) return;
    this.#corked = true;
    this.#stream.cork();
    this.#afterTurn(() => {
      this.#corked = false;
      this.#stream.uncork();
    });
  }
}
