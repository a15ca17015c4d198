/**
 * Player tokens: who was given a player id proves by its token to be that player, until the token ends. Stateless,
 * so any broker with the key can check one.
 */
import { createHmac, createSecretKey, type KeyObject } from "node:crypto";
import type { Clock } from "../base/clock.js";
import type { NewId } from "../base/ids.js";
import { sameSecret } from "../base/secrets.js";

/** An evening's pause keeps the id; a token that was copied somewhere is worth nothing the day after. */
const DEFAULT_PLAYER_TOKEN_LIFE_MS = 24 * 3_600_000;
/** Of its life: a token with less left is replaced by a new one. */
const RENEW_SHARE = 1 / 2;
/** Of an id that a broker made: enough to tell it from one that somebody chose. */
const MARK_LENGTH = 8;

/** What a token is worth. */
export type TokenState = "valid" | "ageing" | "expired" | "wrong";

export interface IssuedToken {
  playerToken: string;
  expiresAtMs: number;
}

export class PlayerTokens {
  readonly #key: KeyObject;
  readonly #clock: Clock;
  readonly #newId: NewId;
  readonly #lifeMs: number;

  constructor(key: string, clock: Clock, newId: NewId, lifeMs = DEFAULT_PLAYER_TOKEN_LIFE_MS) {
    this.#key = createSecretKey(key, "utf8");
    this.#clock = clock;
    this.#newId = newId;
    this.#lifeMs = lifeMs;
  }

  /** An id for a player that brought none. It carries a mark, so that it is never given to somebody who claims it. */
  newPlayerId(): string {
    const id = this.#newId();
    return `${id}-${this.#mark(id)}`;
  }

  /** True if a broker made this id: only its token leads to it. */
  isMade(playerId: string): boolean {
    const at = playerId.length - MARK_LENGTH;
    return at > 1 && playerId[at - 1] === "-" && this.#mark(playerId.slice(0, at - 1)) === playerId.slice(at);
  }

  issue(playerId: string): IssuedToken {
    const expiresAtMs = Math.ceil(this.#clock.now() + this.#lifeMs);
    return { expiresAtMs, playerToken: this.#token(playerId, expiresAtMs.toString(36)) };
  }

  /** `ageing`: valid, and to be replaced. */
  check(playerId: string, token: string): TokenState {
    const [end = ""] = token.split(".", 1);
    if (!sameSecret(this.#token(playerId, end), token)) return "wrong";
    const leftMs = Number.parseInt(end, 36) - this.#clock.now();
    if (!(leftMs > 0)) return "expired";
    return leftMs < this.#lifeMs * RENEW_SHARE ? "ageing" : "valid";
  }

  /** HMAC-SHA256 (RFC 2104) of the player id and the token's end. */
  #token(playerId: string, end: string): string {
    return `${end}.${this.#mac("token", playerId, end)}`;
  }

  #mark(id: string): string {
    return this.#mac("made", id, "").slice(0, MARK_LENGTH);
  }

  #mac(...what: [use: "token" | "made", id: string, end: string]): string {
    return createHmac("sha256", this.#key).update(JSON.stringify(what)).digest("base64url");
  }
}
