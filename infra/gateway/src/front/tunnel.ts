/**
 * Carries one upgraded connection to another server, byte by byte: the WebSocket handshake and all frames are between the
 * two ends. A slow reader stops the other end's writing, and what goes wrong ends this connection only.
 */
import type { IncomingMessage } from "node:http";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { OF_ORIGIN } from "@centroid/protocol/node";

/** A host that does not answer within this is not waited for; players' SDKs try again. */
const CONNECT_TIMEOUT_MS = 3_000;
/** When one end has gone, the other gets what is left for it, if it reads on. */
const LINGER_MS = 5_000;
/** The same when this process stops. */
const STOP_LINGER_MS = 500;

interface SocketTarget {
  hostname: string;
  port: number;
  /** What is asked for there, without the query. */
  path: string;
  /** It speaks TLS. */
  encrypted?: boolean;
}

/** One end of a tunnel. Over TLS it has the same methods and another class. */
type End = Duplex & Partial<Pick<Socket, "destroySoon" | "setNoDelay" | "setKeepAlive">>;

export interface TunnelOptions {
  request: IncomingMessage;
  socket: Duplex;
  /** What came behind the request's head. */
  head: Buffer;
  target: SocketTarget;
  /** Of the request, `?` included if there is one. */
  search: string;
  /** Who asks, as far as it is known. */
  clientAddress: string;
  /** The other end cannot be reached; the caller has got no answer yet. */
  onUnreachable: () => void;
  signal: AbortSignal;
}

/** Resolves when the connection has ended, or could not be made. */
export function tunnel(o: TunnelOptions): Promise<void> {
  return new Promise((resolve) => {
    const client: End = o.socket;
    const upstream = dial(o.target);
    let connected = false;
    const timer = setTimeout(() => upstream.destroy(), CONNECT_TIMEOUT_MS);
    const cut = (): void => {
      leave(client, STOP_LINGER_MS);
      leave(upstream, STOP_LINGER_MS);
    };
    const finish = (): void => {
      clearTimeout(timer);
      o.signal.removeEventListener("abort", cut);
      resolve();
    };
    o.signal.addEventListener("abort", cut, { once: true });
    client.on("error", () => client.destroy());
    upstream.on("error", () => upstream.destroy());
    const onClientClosed = (): void => leave(upstream);
    client.once("close", onClientClosed);
    upstream.once(o.target.encrypted === true ? "secureConnect" : "connect", () => {
      connected = true;
      clearTimeout(timer);
      client.setNoDelay?.(true);
      client.setKeepAlive?.(true);
      upstream.write(headOf(o));
      upstream.write(o.head);
      client.pipe(upstream).pipe(client);
    });
    upstream.once("close", () => {
      if (!connected && !client.destroyed && !o.signal.aborted) {
        finish();
        client.off("close", onClientClosed);
        o.onUnreachable();
        return;
      }
      leave(client);
      finish();
    });
    if (o.signal.aborted || client.destroyed) cut();
  });
}

function dial({ hostname: host, port, encrypted }: SocketTarget): End {
  const how = { host, port, noDelay: true, keepAlive: true };
  // A name is also said in the handshake (RFC 6066, 3: an address is not).
  return encrypted === true
    ? connectTls({ ...how, ...(isIP(host) === 0 && { servername: host }) })
    : connect(how);
}

/** Ends a connection whose other side has gone: after what is on its way, but not waiting for ever. */
function leave(end: End, lingerMs = LINGER_MS): void {
  if (end.destroyed) return;
  const timer = setTimeout(() => end.destroy(), lingerMs);
  end.once("close", () => clearTimeout(timer));
  if (end.destroySoon === undefined) end.end();
  else end.destroySoon();
}

function headOf({ request, target, search, clientAddress }: TunnelOptions): string {
  const lines = [`GET ${target.path}${search} HTTP/1.1`];
  const { rawHeaders } = request;
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? "";
    if (!OF_ORIGIN.has(name.toLowerCase())) lines.push(`${name}: ${rawHeaders[at + 1]}`);
  }
  lines.push(`X-Forwarded-For: ${clientAddress}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}
