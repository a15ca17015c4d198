/** One accepted WebSocket, whatever library carries it. */
export interface ServerSocket {
  send(frame: Uint8Array): void;
  /** With `CLOSE_ABNORMAL`, which may not be sent, it breaks instead of being closed. */
  close(code: number, reason: string): void;
  /** One listener; frames that came before are given to it first. A frame is valid until the listener returns. */
  onMessage(listener: (frame: Buffer) => void): void;
  /** Calls it at once if it is closed already. */
  onClose(listener: (code: number) => void): void;
  /** A gateway lies between this and the client. */
  readonly carried?: boolean | undefined;
  /** The client has said MEASURE_QUERY. */
  readonly measures?: boolean | undefined;
}

export interface Accepted {
  socket: ServerSocket;
  path: string;
  query: URLSearchParams;
  headers: Record<string, string>;
  remoteAddress: string;
}
export type OnAccepted = (accepted: Accepted) => void;

export interface ListenOptions {
  host: string;
  /** 0: any free one. */
  port: number;
  /** A larger frame ends its connection, before it is complete. */
  maxFrameBytes: number;
  /** Under these paths, each `/name/`, programs of ours come in, with frames up to that size. */
  large?: { readonly paths: readonly string[]; readonly maxFrameBytes: number };
  /** Unsent bytes after which a reader is disconnected rather than buffered for. */
  maxBackpressureBytes: number;
  /** A connection without a sign of life is closed after so long. */
  idleTimeoutS: number;
  /** Pings, so that one that is only quiet stays. */
  keepAlive: boolean;
  /** What somebody gets who does not ask for a WebSocket. */
  notice: string;
}

export interface RunningServer extends Disposable {
  readonly kind: "uws" | "ws";
  readonly port: number;
}

/** RFC 6455, 7.4.1: message too big. */
export const CLOSE_TOO_LARGE = 1009;
