/** What a hostile program sends to a port, drawn from a seed: request lines, headers, upgrades, frames. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { encodeControl } from "@centroid/protocol";
import { encodeTrunkFrame } from "@centroid/protocol/trunk";
import type { Draw } from "../support/draw.js";
import { mutateBytes, mutateValue } from "./mutate.js";
import type { Port } from "./ports.js";
import * as samples from "./samples.js";

/** So long an answer is listened to before the next connection. */
const LISTEN_MS = 25;
const OPEN_TIMEOUT_MS = 2_000;

const TARGETS = [
  "http://[",
  "//",
  "//:0",
  "*",
  "http://x:99999/",
  "/%",
  "/%zz",
  "/\u00ff",
  "?",
  "#",
  "/../..",
  "/events?token=%",
  `/${"a".repeat(9_000)}`,
  "/api/v1/rooms/__proto__",
  "/via/%/x/1/",
  "/via/a/b/99999/x",
  "/via/./uws/1/",
  "x:y",
  "http://a@[::1",
  "/\\",
  "/;",
  "/?&&&=%e0%a4%a",
]; // prettier-ignore
const METHODS = ["GET", "POST", "PUT", "OPTIONS", "CONNECT", "TRACE", "get", "G\u0000T", "", "PRI"];
const HEADERS = [
  "Host: x",
  "Host:",
  "Host: a\u0000b",
  "Content-Length: -1",
  "Content-Length: 99999999999999999999",
  "Content-Length: 5",
  "Transfer-Encoding: chunked",
  "Transfer-Encoding: chunked, identity",
  "__proto__: x",
  "constructor: y",
  ": z",
  "x y: z",
  "Cookie: \u00ff\u00fe",
  "Authorization: Bearer ",
  "Origin: null",
  "Origin: http://[",
  "Sec-WebSocket-Version: 99",
  "Sec-WebSocket-Key: short",
  "Sec-WebSocket-Extensions: permessage-deflate; x=\u0001",
  "Sec-WebSocket-Protocol: ,,,",
  "Sec-WebSocket-Protocol: centroid.events, centroid.token.%%%",
  "Upgrade: h2c",
  "Expect: 100-continue",
  "Connection: ,",
  "Content-Type: application/json",
  "X-Forwarded-For: \u00ff",
  `X: ${"y".repeat(5_000)}`,
]; // prettier-ignore
const BODIES = [
  "{",
  "[]",
  "null",
  '{"__proto__":{"a":1}}',
  '{"length":{"toString":1}}',
  "\u0000",
  "5\r\nabc",
  "ffffffff\r\n",
];

const key = (draw: Draw): string => draw.bytes(16).toString("base64");

function head(draw: Draw, port: Port): Buffer {
  const upgrade = draw.unit() < 0.6;
  const target = draw.unit() < 0.5 ? draw.of(TARGETS) : draw.of(port.paths);
  const method = draw.unit() < 0.8 ? (draw.unit() < 0.7 ? "GET" : "POST") : draw.of(METHODS);
  const version =
    draw.unit() < 0.9 ? "HTTP/1.1" : draw.of(["HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "XTTP/1.1"]);
  const lines = [`${method} ${target} ${version}`];
  if (draw.unit() < 0.9) lines.push("Host: 127.0.0.1");
  if (upgrade)
    lines.push(
      "Upgrade: websocket",
      "Connection: Upgrade",
      "Sec-WebSocket-Version: 13",
      `Sec-WebSocket-Key: ${key(draw)}`,
    );
  for (let more = draw.below(4); more > 0; more--) lines.push(draw.of(HEADERS));
  const body = draw.unit() < 0.4 ? draw.of(BODIES) : "";
  if (body !== "" && draw.unit() < 0.7)
    lines.push(`Content-Length: ${body.length}`, "Content-Type: application/json");
  const text = Buffer.from(`${lines.join("\r\n")}\r\n\r\n${body}`, draw.unit() < 0.5 ? "latin1" : "utf8");
  return draw.unit() < 0.3 ? mutateBytes(text, draw) : text;
}

/** One WebSocket frame (RFC 6455, 5.2), masked as a client's must be unless it is drawn otherwise. */
function frame(draw: Draw, payload: Uint8Array, strange: boolean): Buffer {
  const opcode = strange ? draw.below(256) : 0x82;
  const said =
    strange && draw.unit() < 0.5 ? draw.of([0, 125, 70_000, 2 ** 31, 2 ** 40]) : payload.byteLength;
  const masked = !strange || draw.unit() < 0.7;
  const short = said < 126 ? said : said < 65_536 ? 126 : 127;
  const length = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0);
  if (short === 126) length.writeUInt16BE(said);
  if (short === 127) length.writeBigUInt64BE(BigInt(said));
  const mask = masked ? draw.bytes(4) : Buffer.alloc(0);
  const body = Buffer.from(payload);
  if (masked) for (let i = 0; i < body.length; i++) body[i] = (body[i] ?? 0) ^ (mask[i % 4] ?? 0);
  return Buffer.concat([Buffer.from([opcode, short | (masked ? 0x80 : 0)]), length, mask, body]);
}

const SAID = [
  ...samples.agentToBroker,
  ...samples.gatewayToBroker,
  ...samples.fromSource,
  ...samples.clientControl,
];

function payload(draw: Draw): Uint8Array {
  const kind = draw.unit();
  if (kind < 0.3) return mutateBytes(Buffer.from(JSON.stringify(draw.of(SAID)) ?? ""), draw);
  if (kind < 0.45) return mutateBytes(encodeTrunkFrame(draw.of(samples.trunk)), draw);
  if (kind < 0.7) {
    const said = draw.of(samples.clientControl);
    // Also at a moment when nobody waits for it.
    return encodeControl((draw.unit() < 0.5 ? mutateValue(said, draw) : said) as never);
  }
  const head = draw.of([0xff, 10, 12, 13, 14, 17, 18, 0, 31]);
  return Buffer.concat([Buffer.from([head]), draw.bytes(draw.below(40))]);
}

const frames = (draw: Draw): Buffer =>
  Buffer.concat(
    Array.from({ length: 1 + draw.below(6) }, () => frame(draw, payload(draw), draw.unit() < 0.3)),
  );

/** One connection from its first byte to its end. */
export async function attack(port: Port, draw: Draw): Promise<void> {
  const seated = port.seat !== undefined && draw.unit() < 0.3;
  const path = seated ? await port.seat?.() : draw.of(port.paths);
  const socket = connect({ host: "127.0.0.1", port: port.port });
  socket.on("error", () => undefined);
  const closed = once(socket, "close");
  await Promise.race([once(socket, "connect").catch(() => undefined), delay(OPEN_TIMEOUT_MS)]);
  const talk = seated || draw.unit() < 0.4;
  if (talk) {
    const opening = `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key(draw)}\r\n\r\n`;
    await send(socket, Buffer.concat([Buffer.from(opening), frames(draw)]), draw);
  } else await send(socket, head(draw, port), draw);
  await Promise.race([closed, delay(LISTEN_MS)]);
  if (draw.unit() < 0.5) socket.resetAndDestroy();
  else socket.destroy();
  await closed;
}

/** At once, or cut where nobody would expect it. */
async function send(socket: Socket, bytes: Buffer, draw: Draw): Promise<void> {
  socket.resume();
  if (draw.unit() < 0.7) {
    socket.write(bytes);
    return;
  }
  const at = draw.below(bytes.length + 1);
  socket.write(bytes.subarray(0, at));
  await delay(1);
  socket.write(bytes.subarray(at));
}
