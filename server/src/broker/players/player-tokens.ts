/** Player tokens: prove to the broker that a probe report comes from the player it names. */
import { createHmac, timingSafeEqual } from "node:crypto";

/** HMAC-SHA256 (RFC 2104) of the player id; stateless, so any broker with the key can check it. */
export class PlayerTokens {
  readonly #key: string;

  constructor(key: string) {
    this.#key = key;
  }

  issue(playerId: string): string {
    return createHmac("sha256", this.#key).update(playerId).digest("base64url");
  }

  valid(playerId: string, token: string): boolean {
    return sameSecret(this.issue(playerId), token);
  }
}

/** Compares in a time that does not depend on where they differ. */
export function sameSecret(expected: string, given: string): boolean {
  // Digests have one length, so the comparison tells nothing about the length of the secret either.
  const digest = (text: string): Buffer => createHmac("sha256", "centroid").update(text).digest();
  return timingSafeEqual(digest(expected), digest(given));
}
