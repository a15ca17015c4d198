/**
 * TLS on the broker's one port. Programs of this machine (agents, commands, probes) go on in plain HTTP there: the first
 * byte says which it is (RFC 8446, 5.1: a handshake is 22). From elsewhere nothing is taken in plain. Certificates are
 * read again when their files change; connections stay.
 */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { createServer } from "node:tls";
import { readTlsFiles, type TlsFiles, watchTlsFiles } from "@centroid/protocol/node";
import type { Logger } from "../base/logger.js";
import { isLoopback } from "./guard.js";

const HANDSHAKE = 22;
/** A connection that has not begun by then, or not finished its handshake, is not waited for. */
const HANDSHAKE_TIMEOUT_MS = 8_000;
const PLAIN_REFUSED =
  "HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\nconnection: close\r\n\r\nthis port speaks HTTPS\n";

/**
 * Puts TLS before a server that does not listen yet.
 * @throws CentroidError CONFIG_INVALID if the files cannot be used
 */
export async function useTls(
  server: Server,
  files: TlsFiles,
  logger: Logger,
  handshakeTimeoutMs = HANDSHAKE_TIMEOUT_MS,
): Promise<Disposable> {
  const pair = await readTlsFiles(files);
  const secure = createServer({
    ...pair,
    ALPNProtocols: ["http/1.1"],
    handshakeTimeout: handshakeTimeoutMs,
  });
  const plain = server.listeners("connection") as ((socket: Socket) => void)[];
  server.removeAllListeners("connection");
  const serve = (socket: Socket): void => {
    for (const listener of plain) listener.call(server, socket);
  };
  /** Without a byte yet, so that nobody else ends them. */
  const silent = new Set<Socket>();
  secure.on("secureConnection", serve);
  secure.on("tlsClientError", (_cause, socket) => socket.destroy());
  server.on("connection", (socket: Socket) => {
    silent.add(socket);
    const end = (): void => void socket.destroy();
    socket.on("error", end);
    socket.setTimeout(handshakeTimeoutMs, end);
    socket.once("close", () => silent.delete(socket));
    socket.once("data", (first: Buffer) => {
      silent.delete(socket);
      socket.setTimeout(0);
      socket.off("timeout", end);
      socket.off("error", end);
      socket.pause();
      socket.unshift(first);
      if (first[0] === HANDSHAKE) {
        // As an HTTPS server has it; a plain one's would stay until the timeout when its client left in the handshake.
        socket.allowHalfOpen = false;
        secure.emit("connection", socket);
      } else if (isOwn(socket)) {
        serve(socket);
        socket.resume();
      } else socket.on("error", end).end(PLAIN_REFUSED);
    });
  });
  const watch = watchTlsFiles(
    files,
    pair,
    (next) => {
      secure.setSecureContext(next);
      logger.info({ file: files.certFile }, "certificate reloaded");
    },
    // The old pair serves until both fit.
    (cause) => logger.warn({ cause }, "certificate could not be reloaded"),
  );
  return {
    [Symbol.dispose]() {
      watch[Symbol.dispose]();
      for (const socket of silent) socket.destroy();
    },
  };
}

/** Programs of this machine may also come by one of its outer addresses. */
const isOwn = ({ remoteAddress = "", localAddress }: Socket): boolean =>
  isLoopback(remoteAddress) || remoteAddress === localAddress;
