/** Comparing secrets. */
import { createHmac, timingSafeEqual } from "node:crypto";

/** Compares in a time that does not depend on where they differ. */
export function sameSecret(expected: string, given: string): boolean {
  // Digests have one length, so the comparison tells nothing about the length of the secret either.
  const digest = (text: string): Buffer => createHmac("sha256", "centroid").update(text).digest();
  return timingSafeEqual(digest(expected), digest(given));
}
