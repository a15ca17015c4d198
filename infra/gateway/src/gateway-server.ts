/** A gateway in a process of its own: one port for players, TLS of its own if it has a certificate, brokers behind it. */
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type RequestListener,
  type Server,
} from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { CentroidError, GATEWAY_PATH } from "@centroid/protocol";
import {
  addressKey,
  authority,
  DisposalStack,
  readTlsFiles,
  requestTarget,
  type TlsFiles,
  watchTlsFiles,
} from "@centroid/protocol/node";
import { DirectoryLink } from "./directory-link.js";
import { Gateway, MAX_PER_ADDRESS } from "./front/gateway.js";
import { HttpProxy } from "./front/http-proxy.js";
import { tunnel } from "./front/tunnel.js";

/** A head that has not come by then is not waited for. */
const HEAD_TIMEOUT_MS = 8_000;
const BODY_TIMEOUT_MS = 15_000;
const TIMEOUT_CHECK_MS = 2_000;
/** Longer than load balancers keep a connection: who ends it first must not be this end, when they may just be asking. */
const KEEP_ALIVE_MS = 72_000;
/** What players are still being sent when the gateway ends may take so long. */
const DRAIN_MS = 500;
/** Programs of ours dial brokers, not gateways. */
const NOT_FOR_PLAYERS = new Set(["/agent", GATEWAY_PATH]);

export interface GatewayServerOptions {
  gatewayId: string;
  /** `http(s)://host:port` of every broker. */
  brokerUrls: readonly string[];
  /** The gateway token of these brokers. */
  token: string;
  bindHost: string;
  /** 0 is any free one. */
  port: number;
  tls?: TlsFiles | undefined;
  /** `http(s)://host[:port][/path]` where players reach it; those on Centroid's SDK are told of it. */
  publicUrl?: string | undefined;
  trustProxy?: readonly string[] | undefined;
  /** Connections of one address at the same time. */
  maxPerAddress?: number | undefined;
  /** Pause between pings to a newcomer whose client does not measure itself. */
  measureMs?: number | undefined;
  notice: (line: string) => void;
}

/** A gateway that listens. Disposing it drains it: players are told to come again, and find another one. */
export interface GatewayServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Connections that are carried just now. */
  readonly size: number;
  /** Resolves once a broker has taken it. */
  readonly ready: Promise<void>;
}

/** @throws CentroidError PORT_IN_USE, CONFIG_INVALID */
export async function startGateway(options: GatewayServerOptions): Promise<GatewayServer> {
  const teardown = new DisposalStack();
  try {
    return await start(options, teardown);
  } catch (cause) {
    await teardown[Symbol.asyncDispose]();
    throw cause;
  }
}

async function start(o: GatewayServerOptions, teardown: DisposalStack): Promise<GatewayServer> {
  const { gatewayId, token, notice, trustProxy, tls } = o;
  const ending = new AbortController();
  const link = new DirectoryLink({
    brokerUrls: o.brokerUrls.map((url) => url.replace(/^http/, "ws").replace(/\/$/, "")),
    gatewayId,
    token,
    publicUrl: o.publicUrl?.replace(/\/$/, ""),
    notice,
  });
  teardown.defer(() => link[Symbol.dispose]());
  const gateway = new Gateway({
    gatewayId,
    directory: link,
    trustProxy,
    maxPerAddress: o.maxPerAddress ?? MAX_PER_ADDRESS,
    addressKey,
    measureMs: o.measureMs,
  });
  const brokerUrls = o.brokerUrls.map((url) => url.replace(/^ws/, "http").replace(/\/$/, ""));
  const proxy = new HttpProxy({
    gatewayId,
    brokerUrls,
    addressOf: (request) => gateway.addressOf(request),
    encrypted: tls !== undefined,
    signal: ending.signal,
  });
  const server = await serverFor(tls, teardown, notice, (request, response) => {
    if (request.url === "/gateway/healthz") {
      response.writeHead(link.connected && !ending.signal.aborted ? 200 : 503).end();
      return;
    }
    proxy.pass(request, response).catch(() => response.destroy());
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    upgrade(gateway, brokerUrls, ending.signal, request, socket, head);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(o.port, o.bindHost, resolve);
  }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "EADDRINUSE") throw cause;
    throw new CentroidError(
      "PORT_IN_USE",
      `port ${o.port} on ${o.bindHost} is in use; choose another with --port`,
      { cause },
    );
  });
  teardown.defer(async () => {
    const closed = new Promise((resolve) => server.close(resolve));
    ending.abort();
    gateway.drain();
    const late = setTimeout(() => {
      gateway[Symbol.dispose]();
      server.closeAllConnections();
    }, DRAIN_MS);
    await closed;
    clearTimeout(late);
    gateway[Symbol.dispose]();
  });
  const { port } = server.address() as AddressInfo;
  const shown = o.bindHost === "0.0.0.0" || o.bindHost === "::" ? "127.0.0.1" : o.bindHost;
  return {
    url: `${tls === undefined ? "http" : "https"}://${authority(shown, port)}`,
    port,
    ready: link.opened,
    get size() {
      return gateway.size;
    },
    [Symbol.asyncDispose]: () => teardown[Symbol.asyncDispose](),
  };
}

async function serverFor(
  files: TlsFiles | undefined,
  teardown: DisposalStack,
  notice: (line: string) => void,
  listener: RequestListener,
): Promise<Server> {
  const timeouts = {
    headersTimeout: HEAD_TIMEOUT_MS,
    requestTimeout: BODY_TIMEOUT_MS,
    connectionsCheckingInterval: TIMEOUT_CHECK_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  if (files === undefined) return createHttpServer(timeouts, listener);
  const pair = await readTlsFiles(files);
  const server = createHttpsServer({ ...timeouts, ...pair, ALPNProtocols: ["http/1.1"] }, listener);
  const watch = watchTlsFiles(
    files,
    pair,
    (next) => server.setSecureContext(next),
    (cause) => notice(CentroidError.from(cause).message),
  );
  teardown.defer(() => watch[Symbol.dispose]());
  return server;
}

function upgrade(
  gateway: Gateway,
  brokerUrls: readonly string[],
  signal: AbortSignal,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
): void {
  switch (gateway.accept(request, socket, head)) {
    case "taken":
      return;
    case "too-many":
      refuse(socket, "429 Too Many Requests");
      return;
    case "not-mine": {
      const { path } = requestTarget(request.url);
      if (NOT_FOR_PLAYERS.has(path)) {
        refuse(socket, "404 Not Found");
        return;
      }
      const search = request.url?.slice(path.length) ?? "";
      const clientAddress = gateway.addressOf(request);
      const ask = ([url, ...others]: readonly string[]): void => {
        if (url === undefined) {
          refuse(socket, "503 Service Unavailable");
          return;
        }
        const onUnreachable = (): void => ask(others);
        const target = { ...serverAt(url), path };
        void tunnel({ request, socket, head, target, search, clientAddress, onUnreachable, signal });
      };
      ask(brokerUrls);
    }
  }
}

function serverAt(url: string): { hostname: string; port: number; encrypted: boolean } {
  const { hostname, port, protocol } = new URL(url);
  const encrypted = protocol === "https:";
  return {
    hostname: hostname.replace(/^\[|\]$/g, ""),
    port: Number(port) || (encrypted ? 443 : 80),
    encrypted,
  };
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`);
}
