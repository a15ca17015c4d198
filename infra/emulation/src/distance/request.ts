/** Reads the head of a relayed HTTP request and takes the emulator's prefix off its target. Pure. */

/** Larger heads are refused: a WebSocket upgrade needs a few hundred bytes. */
const MAX_HEAD_BYTES = 16 * 1024;
const MAX_PORT = 65_535;

export type Head =
  | { readonly kind: "incomplete" }
  /** Not for a host behind the emulator: served by the emulator itself. */
  | { readonly kind: "own" }
  | { readonly kind: "bad"; readonly status: 400 | 431; readonly reason: string }
  | {
      readonly kind: "via";
      readonly label: string;
      readonly hostId: string;
      readonly port: number;
      /** What the host gets instead of the bytes read so far. */
      readonly forward: Buffer;
    };

const REQUEST_LINE = /^([A-Z]+) (\S+) (HTTP\/1\.[01])$/;
const VIA = /^\/via\/([^/?]+)\/([^/?]+)\/(\d{1,5})(\/[^?]*)?(\?.*)?$/;

/**
 * @param bytes everything read from the connection so far
 * @returns `via` with `/via/LABEL/HOST/PORT` removed from the request target
 */
export function readHead(bytes: Buffer): Head {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0) {
    return bytes.byteLength > MAX_HEAD_BYTES
      ? { kind: "bad", status: 431, reason: `request head is larger than ${MAX_HEAD_BYTES} bytes` }
      : { kind: "incomplete" };
  }
  const lines = bytes.toString("latin1", 0, end).split("\r\n");
  const match = REQUEST_LINE.exec(lines[0] ?? "");
  if (!match) return { kind: "bad", status: 400, reason: "not an HTTP/1.1 request" };
  const [, method = "", target = "", version = ""] = match;
  if (!target.startsWith("/via/")) return { kind: "own" };
  const via = VIA.exec(target);
  if (!via) return { kind: "bad", status: 400, reason: "expected /via/LABEL/HOST/PORT/... in the path" };
  const [, rawLabel = "", rawHost = "", rawPort = "", path = "/", query = ""] = via;
  const label = decode(rawLabel);
  const hostId = decode(rawHost);
  if (label === undefined || hostId === undefined) {
    return {
      kind: "bad",
      status: 400,
      reason: "the label or host in the path is not valid percent-encoding",
    };
  }
  const port = Number(rawPort);
  if (port < 1 || port > MAX_PORT) return { kind: "bad", status: 400, reason: `there is no port ${rawPort}` };
  const headers = lines.slice(1);
  // A second request on this connection would bring the prefix along to the host: only upgrades stay open.
  if (!headers.some((line) => /^upgrade:/i.test(line))) {
    const others = headers.filter((line) => !/^connection:/i.test(line));
    headers.splice(0, headers.length, ...others, "Connection: close");
  }
  const head = [`${method} ${path}${query} ${version}`, ...headers].join("\r\n");
  return {
    kind: "via",
    label,
    hostId,
    port,
    forward: Buffer.concat([Buffer.from(`${head}\r\n\r\n`, "latin1"), bytes.subarray(end + 4)]),
  };
}

/** The path prefix that {@link readHead} takes off again. */
export function viaPath(label: string, hostId: string, port: number): string {
  return `/via/${encodeURIComponent(label)}/${encodeURIComponent(hostId)}/${port}`;
}

/** A whole HTTP response that ends the connection, with a one-line reason as its body. */
export function refusal(status: 400 | 404 | 431 | 502, reason: string): Buffer {
  const names = {
    400: "Bad Request",
    404: "Not Found",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
  } as const;
  const body = `${reason}\n`;
  return Buffer.from(
    `HTTP/1.1 ${status} ${names[status]}\r\nContent-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
