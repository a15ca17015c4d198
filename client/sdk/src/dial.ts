/** Dials addresses that brokers and hosts name: one that is no address at all costs nobody more than a dead one. */
import { PlatformWebSocket } from "#websocket";

/** What a session needs of a WebSocket. A gateway has others, which share a connection. */
export interface SessionSocket {
  readonly readyState: number;
  onopen: ((event: unknown) => unknown) | null;
  onmessage: ((event: { data: ArrayBuffer }) => unknown) | null;
  onclose: ((event: { code: number; reason: string }) => unknown) | null;
  onerror: ((event: unknown) => unknown) | null;
  send(frame: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** `readyState` of a socket that carries frames, from the WebSocket standard. */
export const OPEN = 1;

/** Opens a socket to a session's URL. May throw, as `new WebSocket` does. */
export type Dial = (url: string) => SessionSocket;

/** A WebSocket of its own. */
export const dialWebSocket: Dial = (url) => {
  const socket = new PlatformWebSocket(url);
  socket.binaryType = "arraybuffer";
  // The standard's events have more fields than anybody here reads.
  return socket as unknown as SessionSocket;
};

/**
 * @param url makes the address; may throw, as `new URL` does
 * @returns undefined if there is nothing that could be dialled
 */
export function dial(url: () => string, by: Dial = dialWebSocket): SessionSocket | undefined {
  try {
    return by(url());
  } catch {
    return undefined;
  }
}
