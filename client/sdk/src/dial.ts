/** Dials addresses that brokers and hosts name: one that is no address at all costs nobody more than a dead one. */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { PlatformWebSocket } from "#websocket";

/** A frame as a WebSocket gives it, or a view of what several came in. */
export type FrameBytes = ArrayBuffer | Uint8Array;

export const bytesOf = (frame: FrameBytes): Uint8Array =>
  frame instanceof Uint8Array ? frame : new Uint8Array(frame);

/** What a session needs of a WebSocket. A gateway has others, which share a connection. */
export interface SessionSocket {
  readonly readyState: number;
  onopen: ((event: unknown) => unknown) | null;
  onmessage: ((event: { data: FrameBytes }) => unknown) | null;
  onclose: ((event: { code: number; reason: string }) => unknown) | null;
  onerror: ((event: unknown) => unknown) | null;
  send(frame: Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** `readyState` of a socket that carries frames, from the WebSocket standard. */
export const OPEN = 1;

/** Opens a socket to a session's URL. May throw, as `new WebSocket` does. */
export type Dial = (url: string) => SessionSocket;

const open = (url: string): InstanceType<typeof PlatformWebSocket> => {
  const socket = new PlatformWebSocket(url);
  socket.binaryType = "arraybuffer";
  return socket;
};

/** A WebSocket of its own. */
// The standard's events have more fields than anybody here reads.
export const dialWebSocket: Dial = (url) => open(url) as unknown as SessionSocket;

/** @param onBroken called before whoever uses the socket is told */
export const dialWatched = (url: string, onBroken: () => void): SessionSocket => {
  const socket = open(url);
  socket.addEventListener("close", ({ code }: { code: number }) => {
    if (code === CLOSE_ABNORMAL) onBroken();
  });
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
