/** The agent's connection to its broker: says hello, answers requests, reports; dials again when it breaks. */
import { readFileSync } from "node:fs";
import {
  type AgentRequest,
  type AgentToBroker,
  type BrokerToAgent,
  brokerToAgentSchema,
  CentroidError,
  CLOSE_NORMAL,
  type MeasureOrder,
  PROTOCOL_VERSION,
  type Published,
  type RoomCheckpoint,
  type RoomCount,
  type RoomQuestion,
  shardOf,
  TurnBatch,
  type WireError,
} from "@centroid/protocol";
import { type Challenge, isRefusal, newNonce, PendingReplies, prove, proves } from "@centroid/protocol/node";
import { WebSocket } from "ws";
import { z } from "zod";
import { BrokerLease } from "./broker-lease.js";
import { type RoomMessage, UnsentNews } from "./unsent-news.js";

/** Redial delays: a restarting broker is back within a second; that one has ended has to be seen again and again. */
const FIRST_RETRY_MS = 100;
const MAX_RETRY_MS = 1_000;
/** A port that neither answers nor refuses is dialled anew, so that a broker that is back is found within its grace. */
const DIAL_TIMEOUT_MS = 2_000;
/** A refusal is not over within a second; these stay below the rate at which brokers stop listening to guesses. */
const FIRST_REFUSED_RETRY_MS = 500;
const MAX_REFUSED_RETRY_MS = 15_000;
/** A heartbeat goes along with whatever is sent after this share of the pause before it: one write, and one wake-up there. */
const EARLY_BEAT_SHARE = 2 / 3;
/** A broker that waits for a slow host has answered by then. */
const ANSWER_TIMEOUT_MS = 25_000;
/** What happens between a hello and its welcome, which is milliseconds: of more than this the next hello tells. */
const MAX_SINCE_HELLO = 10_000;

/** How an agent stands with one of its brokers. */
export type BrokerLinkState =
  | { state: "dialling" }
  | { state: "connected" }
  | { state: "away" }
  /** Somebody answers there and does not take this agent; it goes on trying. */
  | { state: "refused"; error: CentroidError };

export interface BrokerLinkOptions {
  url: string;
  /** Files of a client certificate. */
  tls?: { ca: string; cert: string; key: string } | undefined;
  /** Known to both ends and said by neither. */
  token: string;
  hostId: string;
  hello: () => Promise<Extract<AgentToBroker, { type: "hello" }>>;
  heartbeat: () => Extract<AgentToBroker, { type: "heartbeat" }>;
  handle: (request: AgentRequest, grant: string | undefined) => Promise<unknown>;
  onCheckpointed: (saved: Extract<BrokerToAgent, { type: "checkpointed" }>) => void;
  onUnsaved: (unsaved: Extract<BrokerToAgent, { type: "unsaved" }>) => void;
  onPublished: (said: Published) => void;
  onMeasure: (order: MeasureOrder) => void;
  /** It wants to know now who is in the rooms for which `gained` is true, and of others perhaps not any more. */
  onTracks: (gained: (roomId: string) => boolean) => void;
  /** From now on it decides about the rooms for which `gained` is true, and knows which of them are here. */
  onDecides: (gained: (roomId: string) => boolean) => void;
  /** The answer to {@link BrokerLink.leaving}. */
  onEvacuating: (elsewhere: boolean) => void;
  /** What it says of how long rooms may run has changed. */
  onTerms: () => void;
  notice: (line: string) => void;
  /** Told at every change, and at every further refusal. */
  onState: (state: BrokerLinkState) => void;
}

export class BrokerLink implements AsyncDisposable {
  readonly #options: BrokerLinkOptions;
  readonly #questions = new PendingReplies();
  /** Of rooms about which this broker decides; undefined while it is not known to take what players measure. */
  #shards: ReadonlySet<number> | undefined;
  /** It wants to know, or has to be asked first whether it wants to know, who comes and goes in every room. */
  #everyone = true;
  /** It takes counts. */
  #takesCounts = false;
  #socket: WebSocket | undefined;
  #batch: TurnBatch | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  #heartbeatIntervalMs = 0;
  #beatAtMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #retryMs = FIRST_RETRY_MS;
  #refusedRetryMs = FIRST_REFUSED_RETRY_MS;
  #state: BrokerLinkState = { state: "dialling" };
  #closed = false;
  readonly #lease = new BrokerLease();
  #dialledAtMs = 0;
  /** What is being signed on this connection. */
  #challenge: Challenge | undefined;
  /** The connection whose other end knows the token. */
  #trusted: WebSocket | undefined;
  /** Told while the broker was away; hello carries the rest. */
  readonly #unsent = new UnsentNews();
  /** Told since hello was put together and before the welcome: hello may not have it. */
  #sinceHello: RoomMessage[] | undefined;

  constructor(options: BrokerLinkOptions) {
    this.#options = options;
  }

  get url(): string {
    return this.#options.url;
  }

  get state(): BrokerLinkState {
    return this.#state;
  }

  connect(): void {
    if (this.#closed) return;
    const socket = new WebSocket(`${this.#options.url}/agent`, {
      perMessageDeflate: false,
      handshakeTimeout: DIAL_TIMEOUT_MS,
      ...this.#certificate(),
    });
    this.#socket = socket;
    this.#lease.dialled();
    this.#dialledAtMs = performance.now();
    socket.on("upgrade", ({ socket: stream }) => {
      this.#batch = new TurnBatch(stream, setImmediate);
    });
    socket.on("message", (data: Buffer) => this.#onMessage(socket, data));
    socket.on("error", (cause: NodeJS.ErrnoException) => {
      if (this.#socket === socket && isRefusal(cause)) this.#isAbsent();
    });
    socket.on("close", () => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#shards = undefined;
      this.#everyone = true;
      clearInterval(this.#heartbeat);
      this.#heartbeat = undefined;
      // The next hello has all but what cannot be told again.
      for (const message of this.#sinceHello ?? []) this.#unsent.note(message);
      this.#sinceHello = undefined;
      if (this.#closed) return;
      this.#options.onTerms();
      if (this.#state.state === "refused" && !this.#lease.wasAbsentSince(this.#dialledAtMs)) {
        this.#redial(this.#refusedRetryMs);
        this.#refusedRetryMs = Math.min(this.#refusedRetryMs * 2, MAX_REFUSED_RETRY_MS);
      } else {
        if (this.#state.state !== "refused") this.#become({ state: "away" });
        // Counted from the last dial: one that got no answer has been a pause, and a broker is back within its grace.
        const sinceDialMs = performance.now() - this.#dialledAtMs;
        this.#redial(Math.max(FIRST_RETRY_MS, this.#retryMs - sinceDialMs));
        this.#retryMs = Math.min(this.#retryMs * 2, MAX_RETRY_MS);
      }
    });
  }

  #redial(afterMs: number): void {
    this.#retry = setTimeout(() => {
      if (this.#state.state === "refused") this.#state = { state: "dialling" };
      this.connect();
    }, afterMs);
  }

  #become(state: BrokerLinkState): void {
    if (state.state === this.#state.state && state.state !== "refused") return;
    this.#state = state;
    this.#options.onState(state);
  }

  /**
   * Whoever answers does not take this agent, or is no broker: it is tried again, and rooms run on while they may.
   * @param by where a stranger listens there is no broker that could have given rooms to others
   */
  #refused(socket: WebSocket, by: "broker" | "stranger", error: CentroidError): void {
    if (this.#closed || this.#socket !== socket) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
    if (by === "stranger") this.#isAbsent();
    this.#become({ state: "refused", error });
    socket.terminate();
  }

  /** Before this agent, or who answers, has proved anything. */
  #turnedAway(socket: WebSocket, error: CentroidError): void {
    if (error.code !== "STORE_UNAVAILABLE") {
      this.#refused(socket, "broker", error);
      return;
    }
    // A broker that has not started yet: as if nobody listened there.
    this.#isAbsent();
    socket.terminate();
  }

  /** No broker listened there when it was dialled last. */
  #isAbsent(): void {
    this.#lease.absent(this.#dialledAtMs);
    this.#options.onTerms();
  }

  #certificate(): { ca?: Buffer; cert?: Buffer; key?: Buffer } {
    const { tls } = this.#options;
    if (tls === undefined) return {};
    return { ca: readFileSync(tls.ca), cert: readFileSync(tls.cert), key: readFileSync(tls.key) };
  }

  room(message: RoomMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN && this.#heartbeat !== undefined) this.#send(message);
    else if (this.#sinceHello === undefined) this.#unsent.note(message);
    else if (this.#sinceHello.push(message) > MAX_SINCE_HELLO) this.#socket?.terminate();
  }

  /** The room went to another host: what this broker missed of it here is over. */
  forget(roomId: string): void {
    this.#unsent.forget(roomId);
  }

  /** As its last welcome said; 0 before the first. */
  get leaseMs(): number {
    return this.#lease.leaseMs;
  }

  /** Whether this broker wants to hear what players of that room measure. */
  decidesAbout(roomId: string): boolean {
    return this.#shards?.has(shardOf(roomId)) === true;
  }

  /** Whether it wants to know who comes and goes in that room; otherwise it is told the number of players. */
  tracks(roomId: string): boolean {
    return this.#everyone || this.decidesAbout(roomId);
  }

  counts(rooms: RoomCount[]): void {
    if (this.#heartbeat !== undefined) this.#send({ type: "counts", rooms });
  }

  #dealt(shards: ReadonlySet<number>, everyone: boolean): void {
    const [before, toldAll] = [this.#shards, this.#everyone];
    this.#shards = shards;
    this.#everyone = everyone;
    const told = (roomId: string): boolean => toldAll || before?.has(shardOf(roomId)) === true;
    this.#options.onTracks((roomId) => this.tracks(roomId) && !told(roomId));
    this.#options.onDecides((roomId) => this.decidesAbout(roomId) && before?.has(shardOf(roomId)) !== true);
  }

  /** How long this broker cannot have counted the host as lost, by what it has answered; 0 if it may have. */
  leaseLeftMs(nowMs: number): number {
    return this.#lease.leftMs(nowMs);
  }

  /** The same of all brokers: while the others have to ask this one first. */
  vouchedLeftMs(nowMs: number): number {
    return this.#lease.vouchedLeftMs(nowMs);
  }

  /** The same for a broker that has ended; 0 while one is connected. */
  absenceLeftMs(nowMs: number): number {
    return this.#heartbeat === undefined ? this.#lease.absenceLeftMs(nowMs) : 0;
  }

  /** @returns false if the broker is away */
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

  /** This host ends after so long. @returns false if this broker is away, or of a version that does not know that */
  leaving(withinMs: number): boolean {
    if (this.#shards === undefined) return false;
    this.#send({ type: "leaving", withinMs });
    return true;
  }

  /** @throws CentroidError as the broker answers; HOST_LOST if it does not */
  ask(question: RoomQuestion): Promise<unknown> {
    return this.#questions.ask((requestId) => this.#send({ type: "asked", requestId, question }), {
      ms: ANSWER_TIMEOUT_MS,
      error: () => new CentroidError("HOST_LOST", `broker ${this.url} has not answered; try again shortly`),
    });
  }

  #answer(challenge: string): void {
    const { token, hostId } = this.#options;
    this.#challenge = { protocol: PROTOCOL_VERSION, hostId, challenge, nonce: newNonce() };
    const { protocol, nonce } = this.#challenge;
    const proof = prove(token, "agent", this.#challenge);
    this.#send({ type: "answer", protocol, hostId, nonce, proof });
  }

  /** Only a broker that knows the token hears what runs here, and is obeyed. */
  #accepted(socket: WebSocket, proof: string): void {
    const { url, token, hello } = this.#options;
    if (this.#challenge === undefined || !proves(proof, token, "broker", this.#challenge)) {
      const message = `who answers at ${url} does not know the agent token; not joining it`;
      this.#refused(socket, "stranger", new CentroidError("UNAUTHORIZED", message));
      return;
    }
    this.#trusted = socket;
    this.#sinceHello = [];
    hello().then(
      (said) => {
        if (socket.readyState !== WebSocket.OPEN) return;
        this.#lease.saidHello(performance.now());
        this.#options.onTerms();
        socket.send(JSON.stringify(said));
      },
      (cause: unknown) => {
        // A room host that does not say just now what it runs; the broker must not take that for nothing.
        this.#options.notice(`not joining ${url} yet: ${CentroidError.from(cause).message}`);
        socket.terminate();
      },
    );
  }

  #beat(): void {
    this.#beatAtMs = performance.now();
    this.#lease.beat(this.#beatAtMs);
    this.#heartbeat?.refresh();
    this.#send(this.#options.heartbeat());
  }

  #send(message: AgentToBroker): void {
    if (this.#socket?.readyState !== WebSocket.OPEN) return;
    this.#batch?.open();
    this.#socket.send(JSON.stringify(message));
    if (this.#heartbeat === undefined || message.type === "heartbeat") return;
    if (performance.now() - this.#beatAtMs >= this.#heartbeatIntervalMs * EARLY_BEAT_SHARE) this.#beat();
  }

  #onMessage(socket: WebSocket, data: Buffer): void {
    if (this.#socket !== socket || this.#state.state === "refused") return;
    let message: BrokerToAgent;
    try {
      message = brokerToAgentSchema.parse(JSON.parse(data.toString()));
    } catch (cause) {
      const detail = cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause);
      const message = `the broker speaks another protocol: ${detail.slice(0, 500)}`;
      const by = this.#trusted === socket ? "broker" : "stranger";
      this.#refused(socket, by, new CentroidError("PROTOCOL_VERSION", message));
      return;
    }
    if (this.#trusted !== socket) {
      if (message.type === "challenge") this.#answer(message.challenge);
      else if (message.type === "accepted") this.#accepted(socket, message.proof);
      else if (message.type === "refused") this.#turnedAway(socket, CentroidError.fromWire(message.error));
      else socket.terminate();
      return;
    }
    switch (message.type) {
      case "challenge":
      case "accepted":
        return;
      case "welcome":
        this.#retryMs = FIRST_RETRY_MS;
        this.#refusedRetryMs = FIRST_REFUSED_RETRY_MS;
        clearInterval(this.#heartbeat);
        this.#heartbeatIntervalMs = message.heartbeatIntervalMs;
        this.#heartbeat = setInterval(() => this.#beat(), message.heartbeatIntervalMs);
        this.#shards = message.shards && new Set(message.shards);
        this.#takesCounts = message.counts === true;
        this.#everyone = !this.#takesCounts || message.everyone === true;
        this.#lease.welcomed(message.leaseMs, performance.now());
        this.#beat();
        for (const unsent of [...this.#unsent.take(), ...(this.#sinceHello ?? [])]) this.#send(unsent);
        this.#sinceHello = undefined;
        this.#become({ state: "connected" });
        this.#options.onDecides((roomId) => this.decidesAbout(roomId));
        return;
      case "heard":
        this.#lease.heard(message.vouchedMs);
        this.#options.onTerms();
        return;
      case "goodbye":
        this.#lease.goodbye(message.leaseMs);
        this.#options.onTerms();
        return;
      case "decides":
        this.#dealt(new Set(message.shards), !this.#takesCounts || message.everyone === true);
        return;
      case "measure":
        this.#options.onMeasure(message);
        return;
      case "evacuating":
        this.#options.onEvacuating(message.elsewhere);
        return;
      case "checkpointed":
        this.#options.onCheckpointed(message);
        return;
      case "unsaved":
        this.#options.onUnsaved(message);
        return;
      case "answered":
        this.#questions.reply(message);
        return;
      case "published":
        this.#options.onPublished(message);
        return;
      case "refused":
        this.#refused(socket, "broker", CentroidError.fromWire(message.error));
        return;
      case "request": {
        const { requestId } = message;
        // On a later connection that number is another request's, and before its hello nobody may say anything else.
        const reply = (said: { result: unknown } | { error: WireError }): void => {
          if (this.#socket === socket) this.#send({ type: "reply", requestId, ...said });
        };
        this.#options.handle(message.request, message.grant).then(
          (result) => reply({ result }),
          (cause: unknown) => reply({ error: CentroidError.from(cause).toWire() }),
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
    this.#socket?.close(CLOSE_NORMAL, "agent stops");
  }
}
