/**
 * Of one room, the open hosts that were candidates of late: what each of its players has there to the last digit, and what
 * that is together. Of the other open hosts bounds are kept, which take a quarter of the memory.
 */
import type { PlayersPart } from "./players-part.js";

/** A row: which open host it is of, when it was last asked for, and what its numbers are together, if that is known. */
const HOST = 0;
const ASKED = 1;
const IS_SUMMED = 2;
const PLAYERS_MS = 3;
const MEAN_MS = 4;
const MAX_MS = 5;
const ERROR_MS = 6;
/** Players who have measured it, and those of whom nothing but geography is known. */
const MEASURED = 7;
const GUESSED = 8;
/** Then the score of each player, then each one's standard error or `UNMEASURED`. */
const HEADER = 9;

/** So many more are made room for at a time; of more than the most, the one not asked for longest gives its row away. */
const MORE_ROWS = 4;
const MOST_ROWS = 16;
const NONE = -1;

export class ExactRows {
  readonly #players: number;
  readonly #length: number;
  #numbers = new Float64Array(0);
  #size = 0;
  #asks = 0;

  constructor(players: number) {
    this.#players = players;
    this.#length = HEADER + 2 * players;
  }

  /**
   * A row for an open host that has none.
   * @returns the row, and which host has lost it; -1 if none
   */
  take(host: number): { row: number; fromHost: number } {
    const isFull = this.#size >= MOST_ROWS;
    const row = isFull ? this.#leastAsked() : this.#size++;
    const at = row * this.#length;
    if (at >= this.#numbers.length) this.#grow();
    const numbers = this.#numbers;
    const fromHost = isFull ? (numbers[at + HOST] ?? NONE) : NONE;
    numbers[at + HOST] = host;
    numbers[at + ASKED] = ++this.#asks;
    numbers[at + IS_SUMMED] = 0;
    return { row, fromHost };
  }

  /**
   * Lets go of the rows of hosts that are closed.
   * @param renumbered the new number of an open host; -1 if it is closed
   * @returns by row: its host
   */
  keep(renumbered: (host: number) => number): number[] {
    const numbers = this.#numbers;
    const hosts: number[] = [];
    for (let row = 0; row < this.#size; row++) {
      const at = row * this.#length;
      const host = renumbered(numbers[at + HOST] ?? NONE);
      if (host < 0) continue;
      const to = (hosts.push(host) - 1) * this.#length;
      numbers.copyWithin(to, at, at + this.#length);
      numbers[to + HOST] = host;
    }
    this.#size = hosts.length;
    return hosts;
  }

  put(row: number, player: number, scoreMs: number, errorMs: number): void {
    const at = row * this.#length;
    this.#numbers[at + IS_SUMMED] = 0;
    this.#numbers[at + HEADER + player] = scoreMs;
    this.#numbers[at + HEADER + this.#players + player] = errorMs;
  }

  scoreMs(row: number, player: number): number {
    return this.#numbers[row * this.#length + HEADER + player] ?? 0;
  }

  errorMs(row: number, player: number): number {
    return this.#numbers[row * this.#length + HEADER + this.#players + player] ?? 0;
  }

  /** What the host is for the players, if nothing was put there since; it counts as asked for. */
  part(row: number): PlayersPart | undefined {
    const numbers = this.#numbers;
    const at = row * this.#length;
    numbers[at + ASKED] = ++this.#asks;
    if (numbers[at + IS_SUMMED] === 0) return undefined;
    return {
      playersMs: numbers[at + PLAYERS_MS] ?? 0,
      meanMs: numbers[at + MEAN_MS] ?? 0,
      maxMs: numbers[at + MAX_MS] ?? 0,
      errorMs: numbers[at + ERROR_MS] ?? 0,
      measured: numbers[at + MEASURED] ?? 0,
      guessed: numbers[at + GUESSED] ?? 0,
    };
  }

  sum(row: number, { playersMs, meanMs, maxMs, errorMs, measured, guessed }: PlayersPart): void {
    const numbers = this.#numbers;
    const at = row * this.#length;
    numbers[at + IS_SUMMED] = 1;
    numbers[at + PLAYERS_MS] = playersMs;
    numbers[at + MEAN_MS] = meanMs;
    numbers[at + MAX_MS] = maxMs;
    numbers[at + ERROR_MS] = errorMs;
    numbers[at + MEASURED] = measured;
    numbers[at + GUESSED] = guessed;
  }

  #leastAsked(): number {
    let least = 0;
    for (let row = 1; row < this.#size; row++) if (this.#askedAt(row) < this.#askedAt(least)) least = row;
    return least;
  }

  #askedAt(row: number): number {
    return this.#numbers[row * this.#length + ASKED] ?? 0;
  }

  #grow(): void {
    const grown = new Float64Array(this.#numbers.length + MORE_ROWS * this.#length);
    grown.set(this.#numbers);
    this.#numbers = grown;
  }
}
