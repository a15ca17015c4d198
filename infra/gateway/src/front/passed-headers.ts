/** Which headers of a player's request go on to the room: its own words, but not what it says of where it comes from. */
import type { IncomingMessage } from "node:http";

/** Said anew for whoever is behind: what the caller says of itself counts for nothing. */
export const REPLACED: ReadonlySet<string> = new Set([
  "forwarded",
  "x-forwarded-for",
  "x-real-ip",
  "x-client-ip",
]);
/** Of the connection itself, which ends here (RFC 9110, 7.6.1; RFC 6455, 4.1). */
const OF_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "upgrade",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "content-length",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
]);

export function passedOn({ headers }: IncomingMessage): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || REPLACED.has(name) || OF_CONNECTION.has(name)) continue;
    passed[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return passed;
}
