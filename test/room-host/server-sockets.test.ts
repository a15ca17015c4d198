/** Both WebSocket servers of a host behave alike to whoever uses their sockets. */
import { once } from "node:events";
import { expect, it } from "vitest";
import { WebSocket } from "ws";
import { listen } from "../../infra/room-host/dist/sockets/listen.js";
import type { OnAccepted, ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";
import { listenWs } from "../../infra/room-host/dist/sockets/ws-server.js";

const OPTIONS = {
  ...{ host: "127.0.0.1", port: 0, maxFrameBytes: 1_000, maxBackpressureBytes: 1_000 },
  ...{ idleTimeoutS: 60, keepAlive: false, notice: "" },
};
const nothing = (): void => undefined;

it.each([
  { kind: "the one that loads here", serve: (on: OnAccepted) => listen(OPTIONS, on, nothing) },
  { kind: "ws", serve: (on: OnAccepted) => listenWs(OPTIONS, on, nothing) },
])("whoever asks too late is told at once that a connection has ended ($kind)", async ({ serve }) => {
  let taken: (socket: ServerSocket) => void = nothing;
  const accepted = new Promise<ServerSocket>((resolve) => {
    taken = resolve;
  });
  using server = await serve(({ socket }) => taken(socket));
  const client = new WebSocket(`ws://127.0.0.1:${server.port}/`);
  const socket = await accepted;
  const ended = new Promise<number>((resolve) => socket.onClose(resolve));
  if (client.readyState !== WebSocket.OPEN) await once(client, "open");
  client.close(4000);
  expect(await ended).toBe(4000);
  const codes: number[] = [];
  socket.onClose((code) => codes.push(code));
  expect(codes).toEqual([1006]);
});
