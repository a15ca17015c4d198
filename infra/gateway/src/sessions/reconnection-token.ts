/** Colyseus' handshake, as far as a gateway reads it: by which token a room host knows the session again. */

/** `Protocol.JOIN_ROOM` of Colyseus. The token follows, its length first. */
const JOIN_ROOM = 10;

/** @returns undefined if this is another frame */
export function tokenOfHandshake(frame: Uint8Array): string | undefined {
  const length = frame[1];
  if (frame[0] !== JOIN_ROOM || length === undefined || length === 0) return undefined;
  const token = frame.subarray(2, 2 + length);
  return token.byteLength === length ? new TextDecoder().decode(token) : undefined;
}
