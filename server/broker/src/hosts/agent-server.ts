/**
 * The agents' end of the broker: challenge and answer, hello, then heartbeats, replies and room events.
 * A frame that does not parse costs the agent its connection and nobody else anything.
 */
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import {
  type AgentToBroker,
  agentToBrokerSchema,
  type BrokerToAgent,
  CentroidError,
  CLOSE_REFUSED,
  PROTOCOL_VERSION,
  type RoomCheckpoint,
  type RoomCount,
  type RoomQuestion,
  TurnBatch,
  tryRead,
  type WireError,
} from "@centroid/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import { AgentLink } from "./agent-link.js";
import type { AgentTokens } from "./agent-tokens.js";
import { type Answer, Handshake } from "./handshake.js";
import { CLOCK_MARGIN } from "./liveness.js";
import { RefusedAgents } from "./refused-agents.js";
import { assertAddress, assertHello, assertReport, placeOf } from "./reported-addresses.js";
import type { RoomGrants } from "./room-grants.js";

/** What hosts are told of what this broker wants to know. */
interface Tracked {
  readonly shards: number[];
  readonly everyone: boolean;
}

/** A hello lists every room and session of a host; an inspected state may be large too. */
const MAX_AGENT_FRAME_BYTES = 64 * 1024 * 1024;
/** A challenge is not good for longer; an agent that is late dials again. */
const HELLO_TIMEOUT_MS = 5_000;
/** Until it has proved to know the token: request, answer, no more. */
const MAX_STRANGER_BYTES = 16 * 1024;

export type Hello = Extract<AgentToBroker, { type: "hello" }>;
export type Heartbeat = Extract<AgentToBroker, { type: "heartbeat" }>;
export type RoomEventMessage = Extract<AgentToBroker, { type: "room" }>;

export interface AgentServerOptions {
  brokerId: string;
  tokens: Pick<AgentTokens, "accepted" | "joined">;
  heartbeatIntervalMs: number;
  leaseMs: number;
  /** About the rooms of which this broker decides, and whether it wants to know the players of all. */
  tracked: Tracked;
  grants: RoomGrants;
  clock: Clock;
  logger: Logger;
  onHello: (hello: Hello, link: AgentLink) => void;
  /** @param answer renews the host's lease: for all brokers, or as far as this one is concerned */
  onHeartbeat: (hostId: string, heartbeat: Heartbeat, answer: (forAll: boolean) => void) => void;
  /** For so long no other broker counts a host as lost without having asked this one. */
  countsForMs: () => number;
  onRoom: (hostId: string, message: RoomEventMessage) => void;
  onCounts: (hostId: string, counts: readonly RoomCount[]) => void;
  /** Resolves when it is durable. @throws CentroidError why it is not kept */
  onCheckpoint: (hostId: string, saved: RoomCheckpoint) => Promise<void>;
  /** The host is about to end. @returns whether its rooms could go elsewhere */
  onLeaving: (hostId: string, withinMs: number) => boolean;
  /** A room of the host asks something of the whole deployment. @throws CentroidError */
  onAsked: (question: RoomQuestion, hostId: string) => Promise<unknown>;
  onClosed: (link: AgentLink) => void;
}

export class AgentServer implements Disposable {
  readonly wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_AGENT_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #options: AgentServerOptions;
  readonly #refusedAgents: RefusedAgents;
  readonly #links = new Map<string, AgentLink>();
  readonly #joinedWith = new Map<string, string>();
  /** Those that have to know about which shards this broker decides. */
  readonly #routing = new WeakSet<AgentLink>();
  /** Those that are told which checkpoints are not kept. */
  readonly #toldUnsaved = new WeakSet<AgentLink>();

  constructor(options: AgentServerOptions) {
    this.#options = options;
    this.#refusedAgents = new RefusedAgents(options.clock, options.logger);
    this.wss.on("connection", (socket, request) => this.#accept(socket, request));
  }

  /** The shards of this broker are others now, or it wants to know of other players. */
  dealtAnew(): void {
    const { shards, everyone } = this.#options.tracked;
    for (const link of this.#links.values())
      if (this.#routing.has(link)) link.send({ type: "decides", shards, everyone });
  }

  #accept(socket: WebSocket, { socket: tcp }: IncomingMessage): void {
    const address = tcp.remoteAddress ?? "";
    const { tokens, clock } = this.#options;
    const refuse = (cause: unknown): void =>
      this.#refuse(socket, address, CentroidError.from(cause).toWire());
    socket.on("error", () => socket.terminate());
    if (!this.#refusedAgents.mayTry(address)) {
      refuse(
        new CentroidError(
          "RATE_LIMITED",
          "too many wrong agent tokens from this address; try again in a few seconds",
        ),
      );
      return;
    }
    const handshake = new Handshake((hostId) => tokens.accepted(hostId));
    let link: AgentLink | undefined;
    let greeted = false;
    const cancelHello = clock.after(HELLO_TIMEOUT_MS, () => socket.close(CLOSE_REFUSED, "no hello"));
    const countBytes = (): void => {
      if (tcp.bytesRead > MAX_STRANGER_BYTES) socket.terminate();
    };
    tcp.on("data", countBytes);
    socket.on("message", (data: Buffer) => {
      try {
        const message = parse(data);
        if (message.type === "answer") {
          if (handshake.proved !== undefined) throw new CentroidError("BAD_REQUEST", "one answer is enough");
          const proof = handshake.answer(message);
          tcp.off("data", countBytes);
          send(socket, { type: "accepted", proof });
        } else if (message.type === "hello") {
          const { proved } = handshake;
          if (greeted || proved?.hostId !== message.hostId)
            throw new CentroidError("BAD_REQUEST", "say hello once, as the host that answered the challenge");
          assertHello(message, placeOf(tcp.remoteAddress));
          greeted = true;
          cancelHello();
          this.#hello(socket, tcp, message, proved.token).then((accepted) => {
            link = accepted;
          }, refuse);
        } else if (!greeted)
          throw new CentroidError("BAD_REQUEST", "answer the challenge and say hello first");
        else if (link !== undefined) this.#receive(link, message);
      } catch (cause) {
        refuse(cause);
      }
    });
    socket.on("close", () => {
      cancelHello();
      if (link === undefined) return;
      link.close();
      if (this.#links.get(link.hostId) === link) {
        this.#links.delete(link.hostId);
        this.#options.onClosed(link);
      }
    });
    send(socket, { type: "challenge", challenge: handshake.challenge });
  }

  async #hello(socket: WebSocket, tcp: Socket, hello: Hello, token: string): Promise<AgentLink | undefined> {
    const { hostId } = hello;
    const known = this.#links.get(hostId);
    if (known !== undefined) {
      if (await known.alive()) {
        this.#refuse(socket, tcp.remoteAddress ?? "", {
          code: "BAD_REQUEST",
          message: `a host "${hostId}" is connected already; give every host an id of its own`,
        });
        return undefined;
      }
      this.drop(hostId);
    }
    if (socket.readyState !== socket.OPEN) return undefined;
    const link = new AgentLink(
      hostId,
      socket,
      new TurnBatch(tcp, setImmediate),
      this.#options.clock,
      this.#options.grants,
      placeOf(tcp.remoteAddress),
    );
    this.#links.set(hostId, link);
    this.#joinedWith.set(hostId, token);
    this.#options.tokens.joined(hostId, token);
    link.send({
      type: "welcome",
      brokerId: this.#options.brokerId,
      heartbeatIntervalMs: this.#options.heartbeatIntervalMs,
      leaseMs: this.#options.leaseMs,
      counts: true,
      shards: this.#options.tracked.shards,
      everyone: this.#options.tracked.everyone,
    });
    if (hello.measures === true) this.#routing.add(link);
    if (hello.unsaved === true) this.#toldUnsaved.add(link);
    this.#options.onHello(hello, link);
    return link;
  }

  #receive(link: AgentLink, message: Exclude<AgentToBroker, Hello | Answer>): void {
    switch (message.type) {
      case "heartbeat":
        if (message.app !== undefined) assertAddress(message.app, link.place);
        this.#options.onHeartbeat(link.hostId, message, (forAll) =>
          link.send({ type: "heard", ...(forAll ? this.#vouched() : { vouchedMs: 0 }) }),
        );
        return;
      case "reply":
        link.reply(message.requestId, message.result, message.error);
        return;
      case "room":
        if (message.change.event === "running") assertReport(message.change.report, link.place);
        this.#options.onRoom(link.hostId, message);
        return;
      case "counts":
        this.#options.onCounts(link.hostId, message.rooms);
        return;
      case "leaving":
        link.send({
          type: "evacuating",
          elsewhere: this.#options.onLeaving(link.hostId, message.withinMs),
        });
        return;
      case "published":
        // Every host has every broker, so this one reaches them all.
        for (const other of this.#links.values()) if (other !== link) other.send(message);
        return;
      case "asked": {
        const { requestId, question } = message;
        this.#options.onAsked(question, link.hostId).then(
          (result) => link.send({ type: "answered", requestId, result }),
          (cause: unknown) =>
            link.send({ type: "answered", requestId, error: CentroidError.from(cause).toWire() }),
        );
        return;
      }
      case "checkpoint": {
        const { roomId, epoch, seq } = message;
        this.#options.onCheckpoint(link.hostId, message).then(
          () => link.send({ type: "checkpointed", roomId, epoch, seq }),
          (cause: unknown) => {
            const error = CentroidError.from(cause);
            if (error.code !== "STALE_EPOCH")
              this.#options.logger.error({ roomId, cause }, "checkpoint could not be stored");
            if (this.#toldUnsaved.has(link))
              link.send({ type: "unsaved", roomId, epoch, seq, error: error.toWire() });
          },
        );
        return;
      }
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** For how long an answer counts for all brokers, by any clock, if that is less than a lease. */
  #vouched(): { vouchedMs?: number } {
    const vouchedMs = this.#options.countsForMs() / CLOCK_MARGIN;
    return vouchedMs < this.#options.leaseMs ? { vouchedMs } : {};
  }

  /** By which token this host has joined last. */
  tokenOf(hostId: string): string | undefined {
    return this.#joinedWith.get(hostId);
  }

  /** The host is not expected back. */
  forget(hostId: string): void {
    if (!this.#links.has(hostId)) this.#joinedWith.delete(hostId);
  }

  /** Ends the connection of a host, which dials again and has to prove anew that it may. */
  drop(hostId: string): void {
    const link = this.#links.get(hostId);
    if (link === undefined) return;
    link.close();
    this.#links.delete(hostId);
    this.#options.onClosed(link);
  }

  /** Tells this host that the broker ends, and for how long it may run its rooms. */
  goodbye(hostId: string, leaseMs: number): Promise<void> {
    return this.#links.get(hostId)?.goodbye(leaseMs) ?? Promise.resolve();
  }

  #refuse(socket: WebSocket, address: string, error: WireError): void {
    this.#refusedAgents.refused(address, error);
    send(socket, { type: "refused", error });
    socket.close(CLOSE_REFUSED, error.code);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const socket of this.wss.clients) socket.terminate();
    this.wss.close();
  }
}

function send(socket: WebSocket, message: BrokerToAgent): void {
  socket.send(JSON.stringify(message));
}

function parse(data: Buffer): AgentToBroker {
  let raw: unknown;
  try {
    raw = JSON.parse(data.toString());
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "agent frame is not JSON", { cause });
  }
  const parsed = tryRead(agentToBrokerSchema, raw);
  if (parsed.success) return parsed.data;
  // A peer of another version may well begin in another way: say so.
  const version = tryRead(z.object({ type: z.enum(["answer", "hello"]), protocol: z.number() }), raw);
  if (version.success && version.data.protocol !== PROTOCOL_VERSION) {
    throw new CentroidError(
      "PROTOCOL_VERSION",
      `this broker speaks protocol ${PROTOCOL_VERSION}, the agent speaks ${version.data.protocol}; install the same version on both`,
    );
  }
  throw new CentroidError("FRAME_INVALID", `agent frame: ${z.prettifyError(parsed.error).slice(0, 1000)}`);
}
