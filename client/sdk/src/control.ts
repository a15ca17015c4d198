/** What makes a connection one that speaks control frames, and reads them. */
import {
  COMPARE_QUERY,
  CONTROL_QUERY,
  decodeServerControl,
  isControl,
  MEASURE_QUERY,
  PROTOCOL_VERSION,
  type ServerControl,
} from "@centroid/protocol";
import type { SessionSocket } from "./dial.js";

/** In the range that applications may use. */
const CLOSE_PROTOCOL = 4012;

/** A host that does not keep to the protocol costs its own connection, not the game. */
export function readControl(
  socket: Pick<SessionSocket, "close">,
  frame: Uint8Array,
): ServerControl | undefined {
  if (!isControl(frame)) return undefined;
  try {
    return decodeServerControl(frame);
  } catch {
    socket.close(CLOSE_PROTOCOL, "invalid control frame");
    return undefined;
  }
}

export function withControl(url: string): string {
  const parsed = new URL(url);
  parsed.searchParams.set(CONTROL_QUERY, String(PROTOCOL_VERSION));
  parsed.searchParams.set(COMPARE_QUERY, "1");
  parsed.searchParams.set(MEASURE_QUERY, "1");
  return parsed.toString();
}
