/** The same WebSocket server on `ws`, for machines on which uWebSockets.js does not load. */
import { createServer, type IncomingMessage } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";
import {
  type Accepted,
  type ListenOptions,
  type OnAccepted,
  type RunningServer,
  type ServerSocket,
  sendable,
} from "./server-socket.js";

/** @throws if the port is taken */
export async function listenWs(options: ListenOptions, onAccepted: OnAccepted): Promise<RunningServer> {
  const server = createServer((_request, response) => response.writeHead(426).end(`${options.notice}\n`));
  const wss = new WebSocketServer({ server, maxPayload: options.maxFrameBytes, perMessageDeflate: false });
  wss.on("connection", (client, request) => onAccepted(accepted(client, request, options)));
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port, options.host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return {
    kind: "ws",
    port: address.port,
    [Symbol.dispose]() {
      for (const client of wss.clients) client.terminate();
      wss.close();
      server.close();
    },
  };
}

function accepted(client: WebSocket, request: IncomingMessage, options: ListenOptions): Accepted {
  const { maxBackpressureBytes, idleTimeoutS, keepAlive } = options;
  const url = new URL(request.url ?? "/", "http://localhost");
  let onMessage: ((frame: Buffer) => void) | undefined;
  const early: Buffer[] = [];
  client.binaryType = "nodebuffer";
  const idle = setTimeout(() => client.close(1000, "idle"), idleTimeoutS * 1000);
  const ping = keepAlive ? setInterval(() => client.ping(), (idleTimeoutS * 1000) / 2) : undefined;
  client.on("pong", () => idle.refresh());
  client.on("message", (data: Buffer) => {
    idle.refresh();
    if (onMessage === undefined) early.push(data);
    else onMessage(data);
  });
  client.on("close", () => {
    clearTimeout(idle);
    clearInterval(ping);
  });
  client.on("error", () => client.terminate());
  const socket: ServerSocket = {
    send: (frame) => {
      if (client.readyState !== client.OPEN) return;
      if (client.bufferedAmount > maxBackpressureBytes) client.terminate();
      // ws may keep the bytes after this call; Colyseus reuses its buffers.
      else client.send(Buffer.from(frame));
    },
    close: (code, reason) => client.close(sendable(code), reason),
    onMessage: (listener) => {
      onMessage = listener;
      for (const frame of early.splice(0)) listener(frame);
    },
    onClose: (listener) => {
      client.on("close", listener);
    },
  };
  return {
    socket,
    path: url.pathname,
    query: url.searchParams,
    headers: request.headers as Record<string, string>,
    remoteAddress: request.socket.remoteAddress ?? "",
  };
}
