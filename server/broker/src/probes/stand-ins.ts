/**
 * Who was measured last at each place in the network. Somebody else from there is as far from everything, as near as
 * can be told before it has measured anything itself.
 */
import { isIPv4 } from "node:net";
import { addressKey } from "@centroid/protocol/node";

/** Places remembered; beyond that the one seen longest ago is forgotten. */
const MAX_PLACES = 4_096;
/** Of this machine, of private networks (RFC 1918, RFC 4193, RFC 3927), or unknown: whoever comes from there may be anywhere. */
const TELLS_NOTHING =
  /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|169\.254\.|0:0:0:0|f[cd]|fe[89ab]|$)/i;

/**
 * The network that an address is of: what one provider gives out in one area, as far as that can be seen.
 * @param network what the player calls its network: from one machine, several may be emulated
 * @returns undefined for an address that tells nothing
 */
export function neighbourhoodOf(
  address: string | undefined,
  network: string | undefined,
): string | undefined {
  const key = addressKey(address);
  if (network === undefined && TELLS_NOTHING.test(key)) return undefined;
  const prefix = isIPv4(key) ? key.split(".").slice(0, 3).join(".") : key.split(":").slice(0, 3).join(":");
  return `${prefix}|${network ?? ""}`;
}

export class StandIns {
  /** Player id by place, the one seen longest ago first. */
  readonly #players = new Map<string, string>();
  readonly #places = new Map<string, string>();

  at(place: string | undefined): string | undefined {
    return place === undefined ? undefined : this.#players.get(place);
  }

  has(playerId: string): boolean {
    return this.#places.has(playerId);
  }

  /** The player was measured there. @returns who stands for nobody any more */
  put(place: string, playerId: string): string | undefined {
    const before = this.#players.get(place);
    if (before === playerId) return undefined;
    // It has moved: nobody at its old place is where it is now.
    const old = this.#places.get(playerId);
    if (old !== undefined) this.#players.delete(old);
    this.#players.delete(place);
    this.#players.set(place, playerId);
    this.#places.set(playerId, place);
    if (before !== undefined) this.#places.delete(before);
    return before ?? this.#oldest();
  }

  #oldest(): string | undefined {
    if (this.#players.size <= MAX_PLACES) return undefined;
    for (const [place, playerId] of this.#players) {
      this.#players.delete(place);
      this.#places.delete(playerId);
      return playerId;
    }
    return undefined;
  }
}
