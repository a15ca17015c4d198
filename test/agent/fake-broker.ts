/** A broker as an agent meets it, whose words are a test's: one message at a time, in the order in which they are to come. */
import { once } from "node:events";
import type { AgentRequest, AgentToBroker } from "@centroid/protocol";
import { newNonce, prove } from "@centroid/protocol/node";
import { type WebSocket, WebSocketServer } from "ws";

export const TOKEN = "known to both";

/** The broker's side of the conversation, a message at a time. */
export class FakeBroker implements AsyncDisposable {
  readonly #server: WebSocketServer;
  readonly #heard: AgentToBroker[] = [];
  #waiting: (() => void) | undefined;
  #socket: WebSocket | undefined;
  #orders = 0;

  private constructor(server: WebSocketServer) {
    this.#server = server;
  }

  static async listen(port = 0): Promise<FakeBroker> {
    const server = new WebSocketServer({ host: "127.0.0.1", port });
    await once(server, "listening");
    return new FakeBroker(server);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as { port: number }).port}`;
  }

  /** Takes the next connection as far as its hello. */
  async accept(): Promise<void> {
    const [socket] = (await once(this.#server, "connection")) as [WebSocket];
    this.#socket = socket;
    socket.on("message", (data) => {
      this.#heard.push(JSON.parse(String(data)));
      this.#waiting?.();
    });
    const challenge = newNonce();
    this.#say({ type: "challenge", challenge });
    const answer = await this.next();
    if (answer.type !== "answer") throw new Error(`${answer.type} instead of an answer`);
    const { protocol, hostId, nonce } = answer;
    this.#say({ type: "accepted", proof: prove(TOKEN, "broker", { protocol, hostId, challenge, nonce }) });
  }

  welcome(more: object = {}): void {
    const times = { heartbeatIntervalMs: 60_000, leaseMs: 60_000 };
    this.#say({ type: "welcome", brokerId: "broker", ...times, ...more });
  }

  decides(shards: number[], everyone?: boolean): void {
    this.#say({ type: "decides", shards, ...(everyone !== undefined && { everyone }) });
  }

  /** Answers one heartbeat. */
  heard(vouchedMs?: number): void {
    this.#say({ type: "heard", ...(vouchedMs !== undefined && { vouchedMs }) });
  }

  goodbye(leaseMs: number): void {
    this.#say({ type: "goodbye", leaseMs });
  }

  publish(): void {
    this.#say({ type: "published", topic: "any", data: "{}" });
  }

  /** What was saved of a room under that number is durable here. */
  checkpointed(roomId: string, epoch: number, seq: number): void {
    this.#say({ type: "checkpointed", roomId, epoch, seq });
  }

  /** It is not kept here. */
  unsaved(roomId: string, epoch: number, seq: number): void {
    this.#say({
      ...{ type: "unsaved", roomId, epoch, seq },
      error: { code: "STALE_EPOCH", message: "not here" },
    });
  }

  /** Gives an order, whose answer is still to come. @returns its number */
  begin(request: AgentRequest): number {
    const requestId = ++this.#orders;
    this.#say({ type: "request", requestId, request });
    return requestId;
  }

  /** Gives an order, and passes over what is said until it is answered. */
  async order(request: AgentRequest): Promise<void> {
    const requestId = this.begin(request);
    await this.said((message) => message.type === "reply" && message.requestId === requestId);
  }

  /** The next message of that kind; others before it are passed over. */
  async said(matches: (message: AgentToBroker) => boolean): Promise<AgentToBroker> {
    for (;;) {
      const message = await this.next();
      if (matches(message)) return message;
    }
  }

  drop(): void {
    this.#socket?.terminate();
  }

  async next(): Promise<AgentToBroker> {
    for (;;) {
      const message = this.#heard.shift();
      if (message !== undefined) return message;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
  }

  #say(message: object): void {
    this.#socket?.send(JSON.stringify(message));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
