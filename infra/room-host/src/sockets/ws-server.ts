/** The same WebSocket server on `ws`, for machines on which uWebSockets.js does not load. */
import { createServer, type IncomingMessage } from "node:http";
import { CLOSE_ABNORMAL, CLOSE_NORMAL } from "@centroid/protocol";
import { requestTarget } from "@centroid/protocol/node";
import { type WebSocket, WebSocketServer } from "ws";
import { EarlyFrames } from "./early-frames.js";
import { guarded, type OnFailed } from "./isolated.js";
import {
  type Accepted,
  CLOSE_TOO_LARGE,
  type ListenOptions,
  type OnAccepted,
  type RunningServer,
  type ServerSocket,
} from "./server-socket.js";

/** A head that has not come by then is not waited for, and a body is not wanted at all. */
const REQUEST_TIMEOUTS = {
  headersTimeout: 10_000,
  requestTimeout: 15_000,
  connectionsCheckingInterval: 2_000,
};

/** @throws if the port is taken */
export async function listenWs(
  options: ListenOptions,
  onAccepted: OnAccepted,
  failed: OnFailed,
): Promise<RunningServer> {
  const server = createServer(REQUEST_TIMEOUTS, (_request, response) =>
    response.writeHead(426).end(`${options.notice}\n`),
  );
  const upgrades = (maxFrameBytes: number) => {
    const wss = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, perMessageDeflate: false });
    wss.on("connection", (client, request) =>
      onAccepted(accepted(client, request, options, maxFrameBytes, failed)),
    );
    return wss;
  };
  const { large } = options;
  const usual = upgrades(options.maxFrameBytes);
  const ours = large === undefined ? usual : upgrades(large.maxFrameBytes);
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    const { path } = requestTarget(request.url);
    const wss = large?.paths.some((prefix) => path.startsWith(prefix)) === true ? ours : usual;
    wss.handleUpgrade(request, socket, head, (client) => wss.emit("connection", client, request));
  });
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
      for (const wss of [usual, ours]) {
        for (const client of wss.clients) client.terminate();
        wss.close();
      }
      server.close();
    },
  };
}

function accepted(
  client: WebSocket,
  request: IncomingMessage,
  options: ListenOptions,
  maxFrameBytes: number,
  failed: OnFailed,
): Accepted {
  const { maxBackpressureBytes, idleTimeoutS, keepAlive } = options;
  const { path, query } = requestTarget(request.url);
  const close = (code: number, reason: string): void => {
    frames.end();
    if (code === CLOSE_ABNORMAL) client.terminate();
    else client.close(code, reason);
  };
  const tooMany = (): void => close(CLOSE_TOO_LARGE, "too much too early");
  const frames = new EarlyFrames(maxFrameBytes, tooMany, failed);
  client.binaryType = "nodebuffer";
  const idle = setTimeout(() => client.close(CLOSE_NORMAL, "idle"), idleTimeoutS * 1000);
  const ping = keepAlive ? setInterval(() => client.ping(), (idleTimeoutS * 1000) / 2) : undefined;
  client.on("pong", () => idle.refresh());
  client.on("message", (data: Buffer) => {
    idle.refresh();
    frames.received(data, (mine) => mine);
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
    close,
    onMessage: (listener) => frames.listen(listener),
    onClose: (listener) => {
      const own = guarded(listener, failed);
      if (client.readyState === client.CLOSED) own(CLOSE_ABNORMAL);
      else client.on("close", own);
    },
  };
  return {
    socket,
    path,
    query,
    headers: request.headers as Record<string, string>,
    remoteAddress: request.socket.remoteAddress ?? "",
  };
}
