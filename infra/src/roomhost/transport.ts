/**
 * The listening side of a room host: uWebSockets.js, or `ws` where its native binary does not load. Both give
 * every connection to one function.
 */

import type { us_listen_socket, WebSocket } from "uWebSockets.js";
import { type AuthContext, createAuthContext } from "@colyseus/core";
import type { RoomSocket } from "./session-link.js";

export interface Connection {
  socket: RoomSocket;
  path: string;
  query: URLSearchParams;
  context: AuthContext;
}
export type OnConnection = (connection: Connection) => void;

/** A hand-off ships its bulk in frames of this size at most; players are limited by the room host itself. */
const MAX_FRAME_BYTES = 16 * 1024 * 1024;
/** A connection without a sign of life is closed; pings go out by themselves before that. */
const IDLE_TIMEOUT_S = 60;
const CLOSE_GOING_AWAY = 1001;
const CLOSE_ABNORMAL = 1006;
/** A player that reads so slowly is disconnected rather than buffered for. */
const MAX_BACKPRESSURE_BYTES = 16 * 1024 * 1024;

export interface RunningTransport {
  kind: "uws" | "ws";
  port: number;
  shutdown(): void;
}

/** Listens on `host`, any free port. Falls back to `ws` and says so through `notice`. */
export async function listen(
  host: string,
  onConnection: OnConnection,
  notice: (line: string) => void,
): Promise<RunningTransport> {
  try {
    return await listenUws(host, onConnection);
  } catch (cause) {
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause);
    notice(`uWebSockets.js does not load here (${reason}); using ws, which needs more CPU per message`);
    return listenWs(host, onConnection);
  }
}

interface UserData {
  path: string;
  query: string;
  headers: Record<string, string>;
  remoteAddress: string;
  live: UwsSocket | undefined;
}

/** One connection of uWebSockets.js; frames that come before anyone listens are kept. */
class UwsSocket implements RoomSocket {
  #ws: WebSocket<UserData> | undefined;
  #onMessage: ((frame: Buffer) => void) | undefined;
  readonly #onClose: ((code: number) => void)[] = [];
  readonly #early: Buffer[] = [];

  constructor(ws: WebSocket<UserData>) {
    this.#ws = ws;
  }

  send(frame: Uint8Array): void {
    this.#ws?.send(frame, true, false);
  }

  close(code: number, reason: string): void {
    // 1006 may not be sent on the wire (RFC 6455, 7.4.1).
    this.#ws?.end(code === CLOSE_ABNORMAL ? CLOSE_GOING_AWAY : code, reason);
  }

  onMessage(listener: (frame: Buffer) => void): void {
    this.#onMessage = listener;
    for (const frame of this.#early.splice(0)) listener(frame);
  }

  onClose(listener: (code: number) => void): void {
    if (this.#ws !== undefined) this.#onClose.push(listener);
    else listener(CLOSE_ABNORMAL);
  }

  /** @param frame memory that uWebSockets.js takes back when the callback returns */
  received(frame: ArrayBuffer): void {
    if (this.#onMessage !== undefined) this.#onMessage(Buffer.from(frame));
    else this.#early.push(Buffer.from(frame.slice(0)));
  }

  closed(code: number): void {
    this.#ws = undefined;
    for (const listener of this.#onClose) listener(code);
  }
}

async function listenUws(host: string, onConnection: OnConnection): Promise<RunningTransport> {
  const loaded = await import("uWebSockets.js");
  const uws = loaded.default ?? loaded;
  const app = uws.App().ws<UserData>("/*", {
    maxPayloadLength: MAX_FRAME_BYTES,
    maxBackpressure: MAX_BACKPRESSURE_BYTES,
    closeOnBackpressureLimit: 1,
    compression: uws.DISABLED,
    idleTimeout: IDLE_TIMEOUT_S,
    sendPingsAutomatically: true,
    upgrade: (response, request, context) => {
      const headers: Record<string, string> = {};
      request.forEach((name, value) => {
        headers[name] = value;
      });
      response.upgrade<UserData>(
        {
          path: request.getUrl(),
          query: request.getQuery(),
          headers,
          remoteAddress: Buffer.from(response.getRemoteAddressAsText()).toString(),
          live: undefined,
        },
        request.getHeader("sec-websocket-key"),
        request.getHeader("sec-websocket-protocol"),
        request.getHeader("sec-websocket-extensions"),
        context,
      );
    },
    open: (ws) => {
      const data = ws.getUserData();
      const socket = new UwsSocket(ws);
      data.live = socket;
      const query = new URLSearchParams(data.query);
      const { path, headers, remoteAddress } = data;
      const token = query.get("_authToken");
      onConnection({ socket, path, query, context: createAuthContext({ headers, token, remoteAddress }) });
    },
    message: (ws, frame) => ws.getUserData().live?.received(frame),
    close: (ws, code) => ws.getUserData().live?.closed(code),
  });
  const listening = await new Promise<us_listen_socket>((resolve, reject) => {
    app.listen(host, 0, (socket) =>
      socket ? resolve(socket) : reject(new Error(`cannot listen on ${host}`)),
    );
  });
  return {
    kind: "uws",
    port: uws.us_socket_local_port(listening),
    shutdown: () => uws.us_listen_socket_close(listening),
  };
}

async function listenWs(host: string, onConnection: OnConnection): Promise<RunningTransport> {
  const [{ WebSocketServer }, { createServer }] = await Promise.all([import("ws"), import("node:http")]);
  const server = createServer();
  const wss = new WebSocketServer({ server, maxPayload: MAX_FRAME_BYTES, perMessageDeflate: false });
  wss.on("connection", (client, request) => {
    const url = new URL(request.url ?? "/", "http://localhost");
    let onMessage: ((frame: Buffer) => void) | undefined;
    const early: Buffer[] = [];
    client.binaryType = "nodebuffer";
    client.on("message", (data: Buffer) => (onMessage === undefined ? early.push(data) : onMessage(data)));
    client.on("error", () => client.terminate());
    const socket: RoomSocket = {
      send: (frame) => {
        if (client.readyState !== client.OPEN) return;
        if (client.bufferedAmount > MAX_BACKPRESSURE_BYTES) client.terminate();
        // ws may keep the bytes after this call; Colyseus reuses its buffers.
        else client.send(Buffer.from(frame));
      },
      close: (code, reason) => client.close(code === CLOSE_ABNORMAL ? CLOSE_GOING_AWAY : code, reason),
      onMessage: (listener) => {
        onMessage = listener;
        for (const frame of early.splice(0)) listener(frame);
      },
      onClose: (listener) => {
        client.on("close", listener);
      },
    };
    onConnection({
      socket,
      path: url.pathname,
      query: url.searchParams,
      context: createAuthContext({
        headers: request.headers as Record<string, string>,
        token: url.searchParams.get("_authToken"),
        remoteAddress: request.socket.remoteAddress ?? "",
      }),
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no address");
  return {
    kind: "ws",
    port: address.port,
    shutdown: () => {
      wss.close();
      server.close();
    },
  };
}
