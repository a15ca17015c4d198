/** The rule by which the demo rooms check what a player sent: number, content and order. */

/** Must equal `mixChecksum` of the demo rooms; a test holds the two together. */
export function expectedChecksum(checksum: number, n: number, nonce: number): number {
  return (Math.imul(Math.imul(checksum ^ n, 0x9e3779b1) ^ nonce, 0x85ebca6b) ^ (checksum >>> 15)) >>> 0;
}
