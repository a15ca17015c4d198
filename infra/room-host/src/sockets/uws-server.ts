/** A WebSocket server on uWebSockets.js. */
import type { us_listen_socket, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { EarlyFrames } from "./early-frames.js";
import { guarded, type OnFailed } from "./isolated.js";
import {
  CLOSE_TOO_LARGE,
  type ListenOptions,
  type OnAccepted,
  type RunningServer,
  type ServerSocket,
} from "./server-socket.js";

interface UserData {
  path: string;
  query: string;
  headers: Record<string, string>;
  remoteAddress: string;
  live: UwsSocket | undefined;
}

const copyOf = (frame: Buffer): Buffer => Buffer.from(frame);

/** One connection; frames that come before anyone listens are kept. */
class UwsSocket implements ServerSocket {
  #ws: WebSocket<UserData> | undefined;
  readonly #onClose: ((code: number) => void)[] = [];
  readonly #frames: EarlyFrames;
  readonly #failed: OnFailed;

  constructor(ws: WebSocket<UserData>, maxEarlyBytes: number, failed: OnFailed) {
    this.#ws = ws;
    this.#failed = failed;
    const tooMany = (): void => this.close(CLOSE_TOO_LARGE, "too much too early");
    this.#frames = new EarlyFrames(maxEarlyBytes, tooMany, failed);
  }

  send(frame: Uint8Array): void {
    this.#ws?.send(frame, true, false);
  }

  close(code: number, reason: string): void {
    this.#frames.end();
    if (code === CLOSE_ABNORMAL) this.#ws?.close();
    else this.#ws?.end(code, reason);
  }

  onMessage(listener: (frame: Buffer) => void): void {
    this.#frames.listen(listener);
  }

  onClose(listener: (code: number) => void): void {
    const own = guarded(listener, this.#failed);
    if (this.#ws !== undefined) this.#onClose.push(own);
    else own(CLOSE_ABNORMAL);
  }

  /** @param frame memory that uWebSockets.js takes back when the callback returns */
  received(frame: ArrayBuffer): void {
    this.#frames.received(Buffer.from(frame), copyOf);
  }

  closed(code: number): void {
    this.#ws = undefined;
    for (const listener of this.#onClose) listener(code);
  }
}

/** @throws if the port is taken */
export async function listenUws(
  uws: typeof import("uWebSockets.js"),
  options: ListenOptions,
  onAccepted: OnAccepted,
  failed: OnFailed,
): Promise<RunningServer> {
  const app = uws.App();
  const behavior = (maxFrameBytes: number): WebSocketBehavior<UserData> => ({
    maxPayloadLength: maxFrameBytes,
    maxBackpressure: options.maxBackpressureBytes,
    closeOnBackpressureLimit: 1,
    compression: uws.DISABLED,
    idleTimeout: options.idleTimeoutS,
    sendPingsAutomatically: options.keepAlive,
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
      const socket = new UwsSocket(ws, maxFrameBytes, failed);
      data.live = socket;
      const { path, query, headers, remoteAddress } = data;
      onAccepted({ socket, path, query: new URLSearchParams(query), headers, remoteAddress });
    },
    message: (ws, frame) => ws.getUserData().live?.received(frame),
    close: (ws, code) => ws.getUserData().live?.closed(code),
  });
  const { large } = options;
  for (const path of large?.paths ?? []) app.ws(`${path}*`, behavior(large?.maxFrameBytes ?? 0));
  app.ws("/*", behavior(options.maxFrameBytes));
  app.any("/*", (response) => {
    response.writeStatus("426 Upgrade Required").end(`${options.notice}\n`);
  });
  const listening = await new Promise<us_listen_socket>((resolve, reject) => {
    app.listen(options.host, options.port, (socket) =>
      socket ? resolve(socket) : reject(new Error(`cannot listen on ${options.host}:${options.port}`)),
    );
  });
  return {
    kind: "uws",
    port: uws.us_socket_local_port(listening),
    [Symbol.dispose]: () => void app.close(),
  };
}
