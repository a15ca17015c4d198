/** `/events`: the snapshot, then every event, as JSON text frames. A subscriber that cannot keep up is dropped. */
import { type BrokerEvent, TurnBatch } from "@centroid/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import type { EventHub } from "../events/event-hub.js";
import { EVENTS_PROTOCOL } from "./guard.js";

/** Unsent bytes beyond the snapshot that a subscriber may have. */
const MAX_BEHIND_BYTES = 4 * 1024 * 1024;
/** Subscribers have nothing to say. */
const MAX_INBOUND_BYTES = 1024;
const CLOSE_TOO_SLOW = 4008;
const CLOSE_GOING_AWAY = 1001;

export class EventSocket implements Disposable {
  readonly wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_INBOUND_BYTES,
    perMessageDeflate: false,
    // A token that was offered is never named in the answer.
    handleProtocols: (offered) => (offered.has(EVENTS_PROTOCOL) ? EVENTS_PROTOCOL : false),
  });
  readonly #hub: EventHub;
  readonly #onDropped: () => void;
  readonly #subscribers = new Map<WebSocket, { allowance: number; batch: TurnBatch }>();
  #unsubscribe: (() => void) | undefined;

  constructor(hub: EventHub, onDropped: () => void) {
    this.#hub = hub;
    this.#onDropped = onDropped;
    this.wss.on("connection", (socket, { socket: stream }) =>
      this.#accept(socket, new TurnBatch(stream, setImmediate)),
    );
  }

  #accept(socket: WebSocket, batch: TurnBatch): void {
    const snapshot = JSON.stringify(this.#hub.snapshot());
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      this.#subscribers.delete(socket);
      if (this.#subscribers.size > 0) return;
      this.#unsubscribe?.();
      this.#unsubscribe = undefined;
    });
    socket.send(snapshot);
    this.#subscribers.set(socket, { allowance: MAX_BEHIND_BYTES + snapshot.length, batch });
    // One subscription for all: an event is written once, however many listen.
    this.#unsubscribe ??= this.#hub.subscribe((event) => this.#broadcast(event));
  }

  #broadcast(event: BrokerEvent): void {
    const text = JSON.stringify(event);
    for (const [socket, { allowance, batch }] of this.#subscribers) {
      if (socket.bufferedAmount <= allowance) {
        batch.open();
        socket.send(text);
        continue;
      }
      this.#subscribers.delete(socket);
      this.#onDropped();
      socket.close(CLOSE_TOO_SLOW, "too slow; connect again for a fresh snapshot");
      // A close frame waits behind what was not read; give it no chance to wait for ever.
      setTimeout(() => socket.terminate(), 1_000).unref();
    }
  }

  [Symbol.dispose](): void {
    this.#unsubscribe?.();
    this.#subscribers.clear();
    for (const socket of this.wss.clients) socket.close(CLOSE_GOING_AWAY, "the broker stops");
    this.wss.close();
  }
}
