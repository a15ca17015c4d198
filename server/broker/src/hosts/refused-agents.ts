/** Who was refused: said once in the log, and from an address that tries on not even looked at for a while. */
import { type CentroidError, forgetOldest } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import { RateLimiter } from "../base/rate-limit.js";

/** Guesses from one address: an agent with an old token that is started again every few seconds stays below. */
const GUESSES = { perSecond: 0.5, burst: 10 };
/** The same refusal of the same address is not worth a second line before that. */
const QUIET_MS = 600_000;
/** Lines for all strangers together: enough to see who tries, whatever number of addresses they have. */
const LINES = { perSecond: 1, burst: 20 };
/** Refusals remembered; beyond that the oldest go. */
const MAX_REMEMBERED = 1_000;

export class RefusedAgents {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #guesses: RateLimiter;
  readonly #lines: RateLimiter;
  #unsaid = 0;
  readonly #said = new Map<string, { atMs: number; again: number }>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.#guesses = new RateLimiter(GUESSES, clock);
    this.#lines = new RateLimiter(LINES, clock);
  }

  /** False if this address has guessed too often. */
  mayTry(address: string): boolean {
    return this.#guesses.has(address);
  }

  /** It was refused; a guess at the token counts. */
  refused(address: string, { code, message }: Pick<CentroidError, "code" | "message">): void {
    if (code === "UNAUTHORIZED") this.#guesses.admit(address);
    const key = `${address} ${code}`;
    const atMs = this.#clock.now();
    const said = this.#said.get(key);
    if (said !== undefined && atMs - said.atMs < QUIET_MS) {
      said.again++;
      return;
    }
    this.#said.delete(key);
    this.#said.set(key, { atMs, again: 0 });
    forgetOldest(this.#said, MAX_REMEMBERED);
    if (!this.#lines.admit("all")) {
      this.#unsaid++;
      return;
    }
    const before = said === undefined || said.again === 0 ? {} : { refusedSince: said.again };
    const unsaid = this.#unsaid === 0 ? {} : { refusedUnsaid: this.#unsaid };
    this.#unsaid = 0;
    this.#logger.warn({ address, code, ...before, ...unsaid }, `agent refused: ${message}`);
  }
}
