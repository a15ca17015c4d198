/**
 * The agents' end of the broker: hello with version and token, then heartbeats, replies and room events.
 * A frame that does not parse costs the agent its connection and nobody else anything.
 */
import {
  type AgentToBroker,
  agentToBrokerSchema,
  CentroidError,
  PROTOCOL_VERSION,
  type RoomCheckpoint,
  TurnBatch,
  type WireError,
} from "@centroid/protocol";
import { type WebSocket, WebSocketServer } from "ws";
import { z } from "zod";
import type { Clock } from "../clock.js";
import type { Logger } from "../logger.js";
import { sameSecret } from "../players/player-tokens.js";
import { AgentLink } from "./agent-link.js";

/** A hello lists every room and session of a host; an inspected state may be large too. */
const MAX_AGENT_FRAME_BYTES = 64 * 1024 * 1024;
/** Until hello a stranger may send little, and not wait for long. */
const HELLO_TIMEOUT_MS = 5_000;
const CLOSE_REFUSED = 4014;

export type Hello = Extract<AgentToBroker, { type: "hello" }>;
export type RoomMessage = Extract<AgentToBroker, { type: "room" }>;

export interface AgentServerOptions {
  brokerId: string;
  token: string;
  heartbeatIntervalMs: number;
  leaseMs: number;
  clock: Clock;
  logger: Logger;
  onHello: (hello: Hello, link: AgentLink) => void;
  onHeartbeat: (hostId: string, load: number, rssBytes: number) => void;
  onRoom: (hostId: string, message: RoomMessage) => void;
  /** Resolves when it is durable. */
  onCheckpoint: (hostId: string, saved: RoomCheckpoint) => Promise<boolean>;
  onClosed: (link: AgentLink) => void;
}

export class AgentServer implements Disposable {
  readonly wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_AGENT_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #o: AgentServerOptions;
  readonly #links = new Map<string, AgentLink>();

  constructor(options: AgentServerOptions) {
    this.#o = options;
    this.wss.on("connection", (socket, { socket: stream }) =>
      this.#accept(socket, new TurnBatch(stream, setImmediate)),
    );
  }

  #accept(socket: WebSocket, batch: TurnBatch): void {
    let link: AgentLink | undefined;
    let greeted = false;
    const cancelHello = this.#o.clock.after(HELLO_TIMEOUT_MS, () => socket.close(CLOSE_REFUSED, "no hello"));
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: Buffer) => {
      let message: AgentToBroker;
      try {
        message = parse(data);
        if (greeted !== (message.type !== "hello"))
          throw new CentroidError("BAD_REQUEST", "say hello first, and once");
      } catch (cause) {
        this.#refuse(socket, CentroidError.from(cause).toWire());
        return;
      }
      if (message.type === "hello") {
        greeted = true;
        cancelHello();
        void this.#hello(socket, batch, message).then((accepted) => {
          link = accepted;
        });
      } else if (link !== undefined) this.#receive(link, message);
    });
    socket.on("close", () => {
      cancelHello();
      if (link === undefined) return;
      link.close();
      if (this.#links.get(link.hostId) === link) {
        this.#links.delete(link.hostId);
        this.#o.onClosed(link);
      }
    });
  }

  async #hello(socket: WebSocket, batch: TurnBatch, hello: Hello): Promise<AgentLink | undefined> {
    const { hostId } = hello;
    if (hello.protocol !== PROTOCOL_VERSION) {
      this.#refuse(socket, {
        code: "PROTOCOL_VERSION",
        message: `this broker speaks protocol ${PROTOCOL_VERSION}, host ${hostId} speaks ${hello.protocol}; install the same version on both`,
      });
      return undefined;
    }
    if (!sameSecret(this.#o.token, hello.token)) {
      this.#refuse(socket, {
        code: "UNAUTHORIZED",
        message: `wrong agent token for host ${hostId}; start the agent with the token of this broker`,
      });
      return undefined;
    }
    const known = this.#links.get(hostId);
    if (known !== undefined) {
      if (await known.alive()) {
        this.#refuse(socket, {
          code: "BAD_REQUEST",
          message: `a host "${hostId}" is connected already; give every host an id of its own`,
        });
        return undefined;
      }
      known.close();
      this.#links.delete(hostId);
      this.#o.onClosed(known);
    }
    if (socket.readyState !== socket.OPEN) return undefined;
    const link = new AgentLink(hostId, socket, batch, this.#o.clock);
    this.#links.set(hostId, link);
    link.send({
      type: "welcome",
      brokerId: this.#o.brokerId,
      heartbeatIntervalMs: this.#o.heartbeatIntervalMs,
      leaseMs: this.#o.leaseMs,
    });
    this.#o.onHello(hello, link);
    return link;
  }

  #receive(link: AgentLink, message: Exclude<AgentToBroker, Hello>): void {
    switch (message.type) {
      case "heartbeat":
        link.send({ type: "heard" });
        this.#o.onHeartbeat(link.hostId, message.load, message.rssBytes);
        return;
      case "reply":
        link.reply(message.requestId, message.result, message.error);
        return;
      case "room":
        this.#o.onRoom(link.hostId, message);
        return;
      case "checkpoint": {
        const { roomId, epoch, seq } = message;
        this.#o.onCheckpoint(link.hostId, message).then(
          (kept) => {
            if (kept) link.send({ type: "checkpointed", roomId, epoch, seq });
          },
          (cause: unknown) => this.#o.logger.error({ roomId, cause }, "checkpoint could not be stored"),
        );
        return;
      }
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  #refuse(socket: WebSocket, error: WireError): void {
    this.#o.logger.warn({ code: error.code }, `agent refused: ${error.message}`);
    socket.send(JSON.stringify({ type: "refused", error }));
    socket.close(CLOSE_REFUSED, error.code);
  }

  [Symbol.dispose](): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
    for (const socket of this.wss.clients) socket.terminate();
    this.wss.close();
  }
}

function parse(data: Buffer): AgentToBroker {
  let raw: unknown;
  try {
    raw = JSON.parse(data.toString());
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "agent frame is not JSON", { cause });
  }
  const parsed = agentToBrokerSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  // A peer of another version may well send a hello of another shape: say so.
  const version = z.object({ type: z.literal("hello"), protocol: z.number() }).safeParse(raw);
  if (version.success && version.data.protocol !== PROTOCOL_VERSION) {
    throw new CentroidError(
      "PROTOCOL_VERSION",
      `this broker speaks protocol ${PROTOCOL_VERSION}, the agent speaks ${version.data.protocol}; install the same version on both`,
    );
  }
  throw new CentroidError("FRAME_INVALID", `agent frame: ${z.prettifyError(parsed.error).slice(0, 1000)}`);
}
