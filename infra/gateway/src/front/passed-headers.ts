/** Which headers of a player's request go on to the room: its own words, but not what it says of where it comes from. */
import type { IncomingMessage } from "node:http";
import { HOP_BY_HOP, OF_ORIGIN } from "@centroid/protocol/node";

/** Of the handshake with this end (RFC 6455, 4.1), and of a request's body. */
const OF_HANDSHAKE: ReadonlySet<string> = new Set([
  "content-length",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-protocol",
]);

export function passedOn({ headers }: IncomingMessage): Record<string, string> {
  const passed: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || OF_ORIGIN.has(name) || HOP_BY_HOP.has(name) || OF_HANDSHAKE.has(name))
      continue;
    passed[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return passed;
}
