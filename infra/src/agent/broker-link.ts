/** The agent's connection to its broker: says hello, answers requests, reports; dials again when it breaks. */
import { readFileSync } from "node:fs";
import {
  type AgentRequest,
  type AgentToBroker,
  type BrokerToAgent,
  brokerToAgentSchema,
  CentroidError,
  PROTOCOL_VERSION,
  type Published,
  type RoomCheckpoint,
  type RoomEvent,
  TurnBatch,
} from "@centroid/protocol";
import { WebSocket } from "ws";
import { z } from "zod";
import { type Challenge, newNonce, prove, proves } from "./proof.js";

/** Redial delays: a restarting broker is back within a second, a dead one need not be hammered. */
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
/** What hello cannot tell again: how a move ended, who lost whom. */
const UNREPEATED = new Set<RoomEvent["event"]>(["owned", "report", "standby-broken", "standby-orphaned"]);

export interface BrokerLinkOptions {
  url: string;
  /** Files of a client certificate. */
  tls?: { ca: string; cert: string; key: string } | undefined;
  /** Known to both ends and said by neither. */
  token: string;
  hostId: string;
  hello: () => Promise<Extract<AgentToBroker, { type: "hello" }>>;
  heartbeat: () => Extract<AgentToBroker, { type: "heartbeat" }>;
  handle: (request: AgentRequest) => Promise<unknown>;
  onCheckpointed: (saved: Extract<BrokerToAgent, { type: "checkpointed" }>) => void;
  onPublished: (said: Published) => void;
  /** The broker will not have this agent; it must not try again. */
  onRefused: (error: CentroidError) => void;
  notice: (line: string) => void;
  onState: (state: "connected" | "disconnected") => void;
}

export class BrokerLink implements AsyncDisposable {
  readonly #o: BrokerLinkOptions;
  #socket: WebSocket | undefined;
  #batch: TurnBatch | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #closed = false;
  #heardAtMs = 0;
  #beatAtMs = 0;
  #leaseMs = 0;
  /** What is being signed on this connection. */
  #challenge: Challenge | undefined;
  /** The connection whose other end knows the token. */
  #trusted: WebSocket | undefined;
  /** True once the other end was seen to end, or to refuse: then there is no broker that could have taken over. */
  #gone = true;
  /** Told while the broker was away; hello carries the rest. */
  #unsent: Extract<AgentToBroker, { type: "room" }>[] = [];

  constructor(options: BrokerLinkOptions) {
    this.#o = options;
  }

  connect(): void {
    if (this.#closed) return;
    const socket = new WebSocket(`${this.#o.url}/agent`, {
      perMessageDeflate: false,
      ...this.#certificate(),
    });
    this.#socket = socket;
    socket.on("upgrade", ({ socket: stream }) => {
      this.#batch = new TurnBatch(stream, setImmediate);
    });
    socket.on("message", (data: Buffer) => this.#onMessage(socket, data));
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      this.#gone = cause.code === "ECONNREFUSED" || cause.code === "ECONNRESET";
    });
    socket.on("close", () => {
      // Nobody but the other end, or the system that buried it, closes an open connection.
      if (this.#heartbeat !== undefined) this.#gone = true;
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      if (this.#closed) return;
      this.#o.onState("disconnected");
      this.#retry = setTimeout(() => this.connect(), this.#retryMs);
      this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
    });
  }

  #refused(error: CentroidError): void {
    // Others at this address have guessed too often: it will be heard later.
    if (error.code === "RATE_LIMITED") {
      this.#o.notice(error.message);
      return;
    }
    this.#closed = true;
    this.#o.onRefused(error);
  }

  #certificate(): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
    const { tls } = this.#o;
    if (tls === undefined) return {};
    return { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
  }

  room(message: Extract<AgentToBroker, { type: "room" }>): void {
    if (this.#socket?.readyState === WebSocket.OPEN && this.#heartbeat !== undefined) this.#send(message);
    else if (UNREPEATED.has(message.change.event)) this.#unsent.push(message);
  }

  /** How long this broker cannot have counted the host as lost; 0 if it may have. */
  leaseLeftMs(nowMs: number): number {
    return this.#heartbeat === undefined ? 0 : Math.max(0, this.#heardAtMs + this.#leaseMs - nowMs);
  }

  /** True if the broker is known to have ended: then it cannot have given rooms to others. */
  get gone(): boolean {
    return this.#gone && this.#heartbeat === undefined;
  }

  /** @returns false if the broker is away; nothing is kept for it, the next one has everything again */
  checkpoint(saved: RoomCheckpoint): boolean {
    if (this.#heartbeat === undefined || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#send(saved);
    return true;
  }

  /** @returns false if this broker is away; then another may pass it on */
  published(said: Published): boolean {
    if (this.#heartbeat === undefined || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#send(said);
    return true;
  }

  #answer(challenge: string): void {
    const { token, hostId } = this.#o;
    this.#challenge = { protocol: PROTOCOL_VERSION, hostId, challenge, nonce: newNonce() };
    const { protocol, nonce } = this.#challenge;
    const proof = prove(token, "agent", this.#challenge);
    this.#send({ type: "answer", protocol, hostId, nonce, proof });
  }

  /** Only a broker that knows the token hears what runs here, and is obeyed. */
  #accepted(socket: WebSocket, proof: string): void {
    const { url, token, hello, notice } = this.#o;
    if (this.#challenge === undefined || !proves(proof, token, "broker", this.#challenge)) {
      notice(`who answers at ${url} does not know the agent token; not joining it`);
      socket.terminate();
      return;
    }
    this.#trusted = socket;
    void hello().then((said) => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(said));
    });
  }

  #beat(): void {
    this.#beatAtMs = performance.now();
    this.#send(this.#o.heartbeat());
  }

  #send(message: AgentToBroker): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#batch?.open();
    this.#socket.send(JSON.stringify(message));
  }

  #onMessage(socket: WebSocket, data: Buffer): void {
    let message: BrokerToAgent;
    try {
      message = brokerToAgentSchema.parse(JSON.parse(data.toString()));
    } catch (cause) {
      const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
      this.#o.onRefused(
        new CentroidError("PROTOCOL_VERSION", `the broker speaks another protocol: ${detail}`),
      );
      socket.close();
      return;
    }
    if (this.#trusted !== socket) {
      if (message.type === "challenge") this.#answer(message.challenge);
      else if (message.type === "accepted") this.#accepted(socket, message.proof);
      else if (message.type === "refused") this.#refused(CentroidError.fromWire(message.error));
      else socket.terminate();
      return;
    }
    switch (message.type) {
      case "challenge":
      case "accepted":
        return;
      case "welcome":
        this.#retryMs = FIRST_RETRY_MS;
        clearInterval(this.#heartbeat);
        this.#heartbeat = setInterval(() => this.#beat(), message.heartbeatIntervalMs);
        this.#leaseMs = message.leaseMs;
        this.#heardAtMs = performance.now();
        this.#beat();
        for (const unsent of this.#unsent.splice(0)) this.#send(unsent);
        this.#o.onState("connected");
        return;
      case "heard":
        // The lease counts from when the beat was sent: the broker cannot have missed it before that.
        this.#heardAtMs = this.#beatAtMs;
        return;
      case "checkpointed":
        this.#o.onCheckpointed(message);
        return;
      case "published":
        this.#o.onPublished(message);
        return;
      case "refused":
        this.#refused(CentroidError.fromWire(message.error));
        return;
      case "request": {
        const { requestId } = message;
        this.#o.handle(message.request).then(
          (result) => this.#send({ type: "reply", requestId, result }),
          (cause: unknown) =>
            this.#send({ type: "reply", requestId, error: CentroidError.from(cause).toWire() }),
        );
        return;
      }
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    clearInterval(this.#heartbeat);
    this.#socket?.close(1000, "agent stops");
  }
}
