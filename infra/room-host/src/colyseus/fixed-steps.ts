/**
 * The fixed steps of a room across its moves: their numbers go on, and so does the part of a step that has passed. Colyseus
 * keeps both in closures (@colyseus/core 0.18.17), so they are followed from outside; the contract test names that version.
 */

/** Colyseus takes so many steps in one turn of its timer and drops what time is left over then. */
const MAX_STEPS_A_TURN = 5;

export class FixedSteps {
  readonly #elapsedMs: () => number;
  #tick = 0;
  /** Room time up to which steps have been taken. */
  #doneUntilMs = 0;
  #turnAtMs = Number.NaN;
  #inTurn = 0;

  constructor(elapsedMs: () => number) {
    this.#elapsedMs = elapsedMs;
  }

  /** The number of the next step. */
  get tick(): number {
    return this.#tick;
  }

  /** How much of the next step has passed. */
  get passedMs(): number {
    return Math.max(0, this.#elapsedMs() - this.#doneUntilMs);
  }

  /** Colyseus begins a new row of steps: `passedMs` of the first of them count as passed. */
  begun(tick: number, passedMs = 0): void {
    this.#tick = tick;
    this.#doneUntilMs = this.#elapsedMs() - passedMs;
    this.#turnAtMs = Number.NaN;
  }

  /** Colyseus takes a step of that length. */
  taken(stepMs: number): void {
    const nowMs = this.#elapsedMs();
    if (nowMs !== this.#turnAtMs) this.#inTurn = 0;
    this.#turnAtMs = nowMs;
    this.#doneUntilMs = ++this.#inTurn === MAX_STEPS_A_TURN ? nowMs : this.#doneUntilMs + stepMs;
  }

  /** Numbers a step that the room really takes. */
  next(): number {
    return this.#tick++;
  }
}
