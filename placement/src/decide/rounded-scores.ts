/**
 * Of one room: what each player has at each open host, in whole eighths of a ms, rounded down. So it takes two bytes, and
 * what it rules out the score itself rules out, too.
 */
import { grown } from "../latency/grown.js";

const PER_MS = 8;
/** What is larger than there is room for counts as the largest. */
const UNKNOWN = 2 ** 16 - 1;

export class RoundedScores {
  readonly #players: number;
  /** By open host, then player. */
  #numbers = new Uint16Array(0);

  constructor(players: number) {
    this.#players = players;
  }

  /** Room for so many hosts; of those that are new nothing is known before {@link forgetAll}. */
  resize(hosts: number): void {
    const size = hosts * this.#players;
    this.#numbers = grown(this.#numbers.subarray(0, size), new Uint16Array(size));
  }

  put(host: number, player: number, scoreMs: number): void {
    this.#numbers[host * this.#players + player] = Math.min(UNKNOWN - 1, Math.floor(scoreMs * PER_MS));
  }

  isKnown(host: number, player: number): boolean {
    return this.#numbers[host * this.#players + player] !== UNKNOWN;
  }

  /** At least; of a score that is known. */
  leastMs(host: number, player: number): number {
    return (this.#numbers[host * this.#players + player] ?? 0) / PER_MS;
  }

  forget(host: number, player: number): void {
    this.#numbers[host * this.#players + player] = UNKNOWN;
  }

  forgetAll(host: number): void {
    this.#numbers.fill(UNKNOWN, host * this.#players, (host + 1) * this.#players);
  }

  /** A host gets another number, not larger than it had. */
  renumber(from: number, to: number): void {
    this.#numbers.copyWithin(to * this.#players, from * this.#players, (from + 1) * this.#players);
  }
}
