/** The server's half of a WebSocket's opening handshake (RFC 6455, 4.2). */
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

const GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
const KEY = /^[+/0-9A-Za-z]{22}==$/;
/** RFC 7230, 3.2.6. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/** Answers the request. @returns false if it asks for no WebSocket as it should; then it is refused */
export function answerHandshake({ headers, method }: IncomingMessage, stream: Duplex): boolean {
  const key = headers["sec-websocket-key"];
  const version = headers["sec-websocket-version"];
  const [protocol] = headers["sec-websocket-protocol"]?.split(",").map((name) => name.trim()) ?? [];
  const isRight =
    method === "GET" &&
    headers.upgrade?.toLowerCase() === "websocket" &&
    key !== undefined &&
    KEY.test(key) &&
    version === "13" &&
    (protocol === undefined || TOKEN.test(protocol));
  if (!isRight) {
    stream.end(
      "HTTP/1.1 400 Bad Request\r\nsec-websocket-version: 13\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
    );
    return false;
  }
  const accept = createHash("sha1")
    .update(key + GUID)
    .digest("base64");
  const chosen = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
  stream.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n${chosen}\r\n`,
  );
  return true;
}
