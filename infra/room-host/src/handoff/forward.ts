/**
 * Players with a stock Colyseus SDK cannot follow a room by themselves: their old socket stays open and the
 * old host forwards its frames to the new one, in order, until they leave.
 */
import { WebSocket } from "ws";
import type { ServerSocket } from "../sockets/server-socket.js";

/** `late`: frames that arrived after the freeze and that the source did not process. */
export function forwardStockClient(player: ServerSocket, url: string, late: readonly Uint8Array[]): void {
  const queue: Uint8Array[] = [...late];
  const room = new WebSocket(url, { perMessageDeflate: false });
  room.binaryType = "nodebuffer";
  room.on("open", () => {
    for (const frame of queue.splice(0)) room.send(frame);
  });
  room.on("message", (data: Buffer) => player.send(data));
  room.on("error", () => player.close(1006, "forwarding failed"));
  room.on("close", (code, reason) => player.close(code >= 4000 ? code : 1001, reason.toString()));
  player.onMessage((frame) => {
    if (room.readyState === WebSocket.OPEN) room.send(frame);
    else queue.push(Buffer.from(frame));
  });
  player.onClose(() => room.close());
}
