/** Real sockets to put behind a emulator. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { performance } from "node:perf_hooks";
import {
  type DistanceEmulator,
  type DistanceEmulatorOptions,
  startDistanceEmulator,
} from "@centroid/emulation";
import { WebSocket, WebSocketServer } from "ws";

export const near = "near";
export const far = "far";

/** One host at `near`; `far` is `rttMs` away from it, `near` not at all. */
export function twoSites(rttMs: number): DistanceEmulatorOptions {
  return {
    rttMs: { near: { near: 0 }, far: { near: rttMs } },
    hosts: [{ hostId: "h1", siteId: near }],
  };
}

export async function echoServer(): Promise<{ address: string; clients: () => number } & AsyncDisposable> {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, perMessageDeflate: false });
  await once(server, "listening");
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    clients: () => server.clients.size,
    async [Symbol.asyncDispose]() {
      for (const client of server.clients) client.terminate();
      server.close();
      await once(server, "close");
    },
  };
}

export async function openSocket(address: string): Promise<WebSocket> {
  const socket = new WebSocket(`ws://${address}`, { perMessageDeflate: false });
  await once(socket, "open");
  return socket;
}

/**
 * The shortest of `count` round trips, one after another, ms. A busy machine only makes round trips longer, so
 * the shortest one is what the emulator itself does.
 */
export async function shortestRttMs(socket: WebSocket, count: number): Promise<number> {
  let shortest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < count; i++) {
    const started = performance.now();
    const answered = once(socket, "message");
    socket.send(`probe ${i}`);
    await answered;
    shortest = Math.min(shortest, performance.now() - started);
  }
  return shortest;
}

/** A plain TCP server that hands its connections out one by one. */
export async function tcpServer(): Promise<
  { address: string; port: number; accept: () => Promise<Socket> } & AsyncDisposable
> {
  const sockets: Socket[] = [];
  const waiting: ((socket: Socket) => void)[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    socket.on("error", () => undefined);
    const next = waiting.shift();
    if (next) next(socket);
    else sockets.push(socket);
    all.add(socket);
  });
  const all = new Set<Socket>();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    address: `127.0.0.1:${port}`,
    accept: () =>
      new Promise((resolve) => {
        const socket = sockets.shift();
        if (socket) resolve(socket);
        else waiting.push(resolve);
      }),
    async [Symbol.asyncDispose]() {
      for (const socket of all) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

/** Sends a raw request to the emulator and reads the whole answer. */
export async function rawRequest(port: number, request: string): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  socket.write(request);
  let text = "";
  for await (const chunk of socket) text += String(chunk);
  return text;
}

/** Reads a socket until it has `length` bytes. */
export async function readBytes(socket: Socket, length: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    const onData = (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes < length) return;
      socket.off("data", onData);
      resolve(Buffer.concat(chunks));
    };
    socket.on("data", onData);
    socket.once("close", () => reject(new Error(`closed after ${bytes} of ${length} bytes`)));
    socket.resume();
  });
}

export const relayBetween = (rttMs: number): Promise<DistanceEmulator> =>
  startDistanceEmulator(twoSites(rttMs));
