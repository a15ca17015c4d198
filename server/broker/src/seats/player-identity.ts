/**
 * Decides which player somebody is: an id that was given out belongs to whoever has its token, also while its owner
 * is away; an id that nobody has is the first one's who asks; everybody else gets an id made for them.
 */
import type { JoinHints } from "@centroid/protocol";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import type { PlayerRegistry } from "../probes/player-registry.js";
import type { Store } from "../store/store.js";
import type { PlayerTokens } from "./player-tokens.js";

export interface PlayerIdentityOptions {
  tokens: PlayerTokens;
  players: PlayerRegistry;
  store: Pick<Store, "takePlayerId" | "extendPlayerId">;
  clock: Clock;
  logger: Logger;
}

/** Who a player turned out to be, with the token it is to have from now on. */
export interface Identified {
  playerId: string;
  playerToken: string;
}

export class PlayerIdentity {
  readonly #options: PlayerIdentityOptions;

  constructor(options: PlayerIdentityOptions) {
    this.#options = options;
  }

  /** Who joins with these hints. */
  async identify(hints: Pick<JoinHints, "playerId" | "playerToken"> | undefined): Promise<Identified> {
    const { tokens, players } = this.#options;
    const claimed = hints?.playerId;
    if (claimed === undefined) return this.#made();
    if (hints?.playerToken !== undefined) {
      const renewed = await this.renew(claimed, hints.playerToken);
      if (renewed !== undefined) return { playerId: claimed, playerToken: renewed };
    }
    if (tokens.isMade(claimed) || players.get(claimed) !== undefined) return this.#made();
    const { playerToken, expiresAtMs } = tokens.issue(claimed);
    return (await this.#take(claimed, expiresAtMs)) ? { playerId: claimed, playerToken } : this.#made();
  }

  /** @returns the token that this player is to have from now on; nothing if the one it shows is not, or no more, its own */
  async renew(playerId: string, playerToken: string): Promise<string | undefined> {
    const { tokens, store, clock, logger } = this.#options;
    const state = tokens.check(playerId, playerToken);
    switch (state) {
      case "valid":
        return playerToken;
      case "wrong":
      case "expired":
        return undefined;
      case "ageing": {
        if (tokens.isMade(playerId)) return tokens.issue(playerId).playerToken;
        const renewed = tokens.issue(playerId);
        try {
          await store.extendPlayerId(playerId, renewed.expiresAtMs, clock.now());
          return renewed.playerToken;
        } catch (cause) {
          logger.error({ playerId, cause }, "reservation of the player id could not be extended");
          return playerToken;
        }
      }
      default: {
        const never: never = state;
        return never;
      }
    }
  }

  /** Of a session whose player is known; a player of its own if not. */
  async of(playerId: string | undefined): Promise<Identified> {
    if (playerId === undefined) return this.#made();
    const { tokens, store, clock, logger } = this.#options;
    const { playerToken, expiresAtMs } = tokens.issue(playerId);
    if (!tokens.isMade(playerId)) {
      await store
        .extendPlayerId(playerId, expiresAtMs, clock.now())
        .catch((cause: unknown) =>
          logger.error({ playerId, cause }, "reservation of the player id could not be extended"),
        );
    }
    return { playerId, playerToken };
  }

  #made(): Identified {
    const playerId = this.#options.tokens.newPlayerId();
    return { playerId, playerToken: this.#options.tokens.issue(playerId).playerToken };
  }

  /** Players join also while nothing can be stored: then under ids that are made for them. */
  async #take(playerId: string, untilMs: number): Promise<boolean> {
    const { store, clock, logger } = this.#options;
    try {
      return await store.takePlayerId(playerId, untilMs, clock.now());
    } catch (cause) {
      logger.error({ playerId, cause }, "player id could not be assigned");
      return false;
    }
  }
}
