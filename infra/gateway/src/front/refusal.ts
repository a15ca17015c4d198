/**
 * Says no to a player's socket as Colyseus does: the WebSocket is opened, an error frame names code and text, and the
 * close code says whether trying again makes sense. A browser would hide the status of a refused handshake from its page.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CLOSE_ROOM_MOVED } from "@centroid/protocol";
import { type WebSocket, WebSocketServer } from "ws";

/** Of Colyseus' `Protocol`. */
const ERROR_FRAME = 11;
/** Of Colyseus' `ErrorCode`: MATCHMAKE_EXPIRED. */
const EXPIRED = 524;
/** Of Colyseus' `CloseCode`: WITH_ERROR, FAILED_TO_RECONNECT. */
const CLOSE_WITH_ERROR = 4002;
const CLOSE_FAILED_TO_RECONNECT = 4003;
/** Who is refused has nothing to say. */
const MAX_INBOUND_BYTES = 1024;
const LINGER_MS = 1_000;

export class Refusal implements Disposable {
  readonly #wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_INBOUND_BYTES,
    perMessageDeflate: false,
  });

  /** No room here has such a seat. */
  expired(request: IncomingMessage, socket: Duplex, head: Buffer, reconnecting: boolean): void {
    this.#open(request, socket, head, (ws) => {
      ws.send(errorFrame(EXPIRED, "seat reservation expired."));
      ws.close(reconnecting ? CLOSE_FAILED_TO_RECONNECT : CLOSE_WITH_ERROR);
    });
  }

  /** The room is on its way, or its host is away: worth another look. */
  away(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#open(request, socket, head, (ws) => ws.close(CLOSE_ROOM_MOVED, "room is not here"));
  }

  #open(request: IncomingMessage, socket: Duplex, head: Buffer, say: (ws: WebSocket) => void): void {
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      ws.on("error", () => ws.terminate());
      const timer = setTimeout(() => ws.terminate(), LINGER_MS);
      ws.on("close", () => clearTimeout(timer));
      say(ws);
    });
  }

  [Symbol.dispose](): void {
    for (const ws of this.#wss.clients) ws.terminate();
    this.#wss.close();
  }
}

/** The number as `uint16`, the text as `str8` of Colyseus' encoding, which is MessagePack with little-endian numbers. */
function errorFrame(code: number, text: string): Buffer {
  const bytes = Buffer.from(text);
  return Buffer.concat([
    Buffer.from([ERROR_FRAME, 0xcd, code & 0xff, code >> 8, 0xd9, bytes.byteLength]),
    bytes,
  ]);
}
