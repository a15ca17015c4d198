/**
 * Watches the wire for what servers confirm to the players of this process: at the sockets, so that neither the SDK
 * nor the server has a say in it.
 */
import { decodeServerControl, isControl } from "@centroid/protocol";
import { WebSocket } from "ws";

/** Told the session and how many of its data frames are confirmed. */
export type OnAcknowledged = (sessionId: string, frames: number) => void;

/** Sessions are named in the URL that a player dials. */
const sessionOf = (url: string | undefined): string | undefined =>
  url === undefined || url === "" ? undefined : (new URL(url).searchParams.get("sessionId") ?? undefined);

export function watchAcknowledgements(onAcknowledged: OnAcknowledged): Disposable {
  const original = WebSocket.prototype.emit;
  WebSocket.prototype.emit = function (this: WebSocket, ...args: Parameters<typeof original>) {
    const [event, data] = args;
    const session = event === "message" ? sessionOf(this.url) : undefined;
    if (session !== undefined) {
      const frame = data instanceof ArrayBuffer ? new Uint8Array(data) : (data as Uint8Array);
      const message =
        frame instanceof Uint8Array && isControl(frame) ? decodeServerControl(frame) : undefined;
      if (message?.type === "ack") onAcknowledged(session, message.received);
    }
    return original.apply(this, args);
  };
  return {
    [Symbol.dispose]() {
      WebSocket.prototype.emit = original;
    },
  };
}
