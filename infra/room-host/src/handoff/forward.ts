/**
 * Players with a stock Colyseus SDK cannot follow a room by themselves: their old socket stays open and the
 * old host forwards its frames to the new one, in order, until they leave.
 */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { WebSocket } from "ws";
import type { ServerSocket } from "../sockets/server-socket.js";

/** The new host has a moment ago taken the room; one that does not answer has gone since. */
const HANDSHAKE_TIMEOUT_MS = 10_000;
/** What a player has said that does not get to the new host; more than anybody sends while a connection is made. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** `late`: frames that arrived after the freeze and that the source did not process. */
export function forwardStockClient(player: ServerSocket, url: string, late: readonly Uint8Array[]): void {
  const queue: Uint8Array[] = [...late];
  let queuedBytes = 0;
  const room = new WebSocket(url, { perMessageDeflate: false, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  room.binaryType = "nodebuffer";
  room.on("open", () => {
    for (const frame of queue.splice(0)) room.send(frame);
  });
  room.on("message", (data: Buffer) => player.send(data));
  room.on("error", () => player.close(CLOSE_ABNORMAL, "forwarding failed"));
  room.on("close", (code, reason) => player.close(code >= 4000 ? code : 1001, reason.toString()));
  player.onMessage((frame) => {
    const isOpen = room.readyState === WebSocket.OPEN;
    if (!isOpen) queuedBytes += frame.byteLength;
    if ((isOpen ? room.bufferedAmount : queuedBytes) > MAX_WAITING_BYTES)
      player.close(CLOSE_ABNORMAL, "the new host takes nothing");
    else if (isOpen) room.send(frame);
    else queue.push(Buffer.from(frame));
  });
  player.onClose(() => room.close());
}
