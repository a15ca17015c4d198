/** Dials addresses that brokers and hosts name: one that is no address at all costs nobody more than a dead one. */
import { PlatformWebSocket } from "#websocket";

/**
 * @param url makes the address; may throw, as `new URL` does
 * @returns undefined if there is nothing that could be dialled
 */
export function dial(url: () => string): WebSocket | undefined {
  try {
    const socket = new PlatformWebSocket(url());
    socket.binaryType = "arraybuffer";
    return socket;
  } catch {
    return undefined;
  }
}
