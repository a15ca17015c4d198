/**
 * What players measure their way to this gateway against: a WebSocket that echoes, and adds to each echo which gateway
 * answers, since behind one address there may be several.
 */
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { CLOSE_TOO_FAST, TokenBucket } from "@centroid/protocol";
import { WebSocketServer } from "ws";

/** An echo's number; more is not a probe. */
const MAX_PROBE_BYTES = 64;
/** One player needs a handful of probes a second at most. */
const PROBES = { perSecond: 50, burst: 50 };
/** Who measures again within this need not dial again. */
const IDLE_MS = 60_000;

export class OwnBeacon implements Disposable {
  readonly #gatewayId: Buffer;
  readonly #wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_PROBE_BYTES,
    perMessageDeflate: false,
  });

  constructor(gatewayId: string) {
    this.#gatewayId = Buffer.from(gatewayId);
  }

  accept(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#wss.handleUpgrade(request, socket, head, (ws) => {
      const probes = new TokenBucket(PROBES, performance.now());
      const idle = setTimeout(() => ws.terminate(), IDLE_MS);
      idle.unref();
      ws.on("error", () => ws.terminate());
      ws.on("close", () => clearTimeout(idle));
      ws.on("message", (probe: Buffer) => {
        idle.refresh();
        if (probes.take(performance.now())) ws.send(Buffer.concat([probe.subarray(0, 1), this.#gatewayId]));
        else ws.close(CLOSE_TOO_FAST, "too many probes");
      });
    });
  }

  [Symbol.dispose](): void {
    for (const ws of this.#wss.clients) ws.terminate();
    this.#wss.close();
  }
}
