/** Which headers a server that passes HTTP on must leave out. */

/** Of one connection, so never passed on (RFC 9110, 7.6.1), nor what is between a client and its proxy (11.7). */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** Said anew for whoever is behind: what a caller says of where it comes from counts for nothing. */
export const OF_ORIGIN: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-real-ip",
  "x-client-ip",
]);

/** Names and values in turn, as Node has them: several of one name stay several. @param but further names, lower case */
export function endToEnd(rawHeaders: readonly string[], but: ReadonlySet<string> = new Set()): string[] {
  const kept: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    const key = name.toLowerCase();
    if (!HOP_BY_HOP.has(key) && !but.has(key)) kept.push(name, rawHeaders[at + 1] ?? "");
  }
  return kept;
}
