/**
 * What players measure against: a WebSocket that echoes. It lives in the agent's process, so that a busy room
 * does not look like a distant host.
 */
import { createServer } from "node:http";
import { WebSocketServer } from "ws";

/** A probe is a counter and a timestamp; more is not a probe. */
const MAX_PROBE_BYTES = 64;
/** One player needs a handful of probes a second at most. */
const MAX_PROBES_PER_SECOND = 50;
/** A beacon that is not used is closed. */
const IDLE_MS = 60_000;

export interface Beacon extends AsyncDisposable {
  readonly port: number;
}

/** Listens on `host:port`. `onMeasured` tells that somebody measures. */
export async function startBeacon(host: string, port: number, onMeasured: () => void): Promise<Beacon> {
  const server = createServer((_request, response) =>
    response.writeHead(426).end("this is a WebSocket beacon\n"),
  );
  const wss = new WebSocketServer({ server, maxPayload: MAX_PROBE_BYTES, perMessageDeflate: false });
  wss.on("connection", (socket) => {
    let second = 0;
    let count = 0;
    onMeasured();
    const idle = setTimeout(() => socket.close(1000, "idle"), IDLE_MS);
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const now = Math.floor(performance.now() / 1000);
      if (now !== second) {
        second = now;
        count = 0;
      }
      if (++count > MAX_PROBES_PER_SECOND) socket.close(1008, "too many probes");
      else socket.send(data, { binary: isBinary });
      idle.refresh();
    });
    socket.on("close", () => clearTimeout(idle));
    socket.on("error", () => socket.terminate());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, resolve);
  });
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("beacon has no port");
  return {
    port: address.port,
    async [Symbol.asyncDispose]() {
      for (const client of wss.clients) client.terminate();
      wss.close();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
