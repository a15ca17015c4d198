/**
 * What one broker tells or asks another one alone: over a connection that is opened when it is first needed and kept, many
 * messages of one turn in one write. Whoever dials shows the deployment's admin token. Nothing is told twice: what is under
 * way when a connection breaks is lost, and questions fail.
 */
import type { IncomingMessage } from "node:http";
import { CentroidError, readWire, TurnBatch, tryRead } from "@centroid/protocol";
import { PendingReplies } from "@centroid/protocol/node";
import { WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/logger.js";
import {
  type BrokerAnswer,
  type BrokerMessage,
  brokerAnswerSchema,
  brokerMessageSchema,
  type Carried,
  type PlayerReportBody,
  type ReportAnswer,
  reportAnswerSchema,
  type ToldWay,
} from "./broker-messages.js";
import type { Member } from "./cluster.js";

/** Where brokers reach each other. */
export const BROKER_PATH = "/broker";
const MAX_FRAME_BYTES = 256 * 1024;
const DIAL_TIMEOUT_MS = 2_000;
/** A broker that cannot be reached is not dialled for each message. */
const REDIAL_MS = 500;
/** Messages that wait for a connection. */
const MAX_WAITING = 1_000;
/** What is asked takes the other broker no time of its own. */
const ANSWER_TIMEOUT_MS = 5_000;
const CLOSE_INVALID = 1_008;

export interface BrokerLinksOptions {
  adminToken: string;
  /** A player of a room about which this broker decides has measured; another broker was told. */
  onMeasured: (body: PlayerReportBody) => void;
  /** The same of one who waits for the answer. @throws CentroidError */
  onReport: (body: PlayerReportBody) => ReportAnswer;
  /** A gateway of another broker has measured how far players are whom it carries. */
  onCarried: (players: readonly Carried[]) => void;
  /** Another broker knows by which gateways sessions come, of rooms about which this broker decides. */
  onWays: (ways: readonly ToldWay[]) => void;
  clock: Clock;
  logger: Logger;
}

interface Outgoing {
  socket: WebSocket;
  batch: TurnBatch | undefined;
  waiting: string[] | undefined;
  replies: PendingReplies;
}

export class BrokerLinks implements Disposable {
  readonly wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #options: BrokerLinksOptions;
  /** By URL. */
  readonly #links = new Map<string, Outgoing>();
  readonly #failedAtMs = new Map<string, number>();
  #closed = false;

  constructor(options: BrokerLinksOptions) {
    this.#options = options;
    this.wss.on("connection", (socket, request) => this.#accept(socket, request));
  }

  /** At most once. */
  tell(member: Member, message: Exclude<BrokerMessage, { type: "report" }>): void {
    const link = this.#link(member);
    if (link !== undefined) put(link, message);
  }

  /** @throws CentroidError what the other broker says; HOST_LOST if it cannot be reached */
  async report(member: Member, body: PlayerReportBody): Promise<ReportAnswer> {
    const away = (): CentroidError =>
      new CentroidError("HOST_LOST", `broker ${member.brokerId} cannot be reached; try again shortly`);
    const link = this.#link(member);
    if (link === undefined) throw away();
    const answer = await link.replies.ask((requestId) => put(link, { type: "report", requestId, body }), {
      ms: ANSWER_TIMEOUT_MS,
      error: away,
    });
    return readWire(reportAnswerSchema, answer, "INTERNAL", "answer of another broker");
  }

  #link({ url, brokerId }: Member): Outgoing | undefined {
    const known = this.#links.get(url);
    if (known !== undefined || this.#closed) return known;
    const { clock, adminToken, logger } = this.#options;
    if (clock.now() - (this.#failedAtMs.get(url) ?? Number.NEGATIVE_INFINITY) < REDIAL_MS) return undefined;
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}${BROKER_PATH}`, {
      perMessageDeflate: false,
      handshakeTimeout: DIAL_TIMEOUT_MS,
      maxPayload: MAX_FRAME_BYTES,
      headers: { authorization: `Bearer ${adminToken}` },
    });
    const link: Outgoing = { socket, batch: undefined, waiting: [], replies: new PendingReplies() };
    this.#links.set(url, link);
    socket.on("upgrade", ({ socket: stream }) => {
      link.batch = new TurnBatch(stream, setImmediate);
    });
    socket.on("open", () => {
      this.#failedAtMs.delete(url);
      const { waiting = [] } = link;
      link.waiting = undefined;
      for (const text of waiting) write(link, text);
    });
    socket.on("message", (data: Buffer) => {
      const answer = tryRead(brokerAnswerSchema, parsed(data));
      if (answer.success) link.replies.reply(answer.data);
      else socket.close(CLOSE_INVALID, "not understood");
    });
    socket.on("error", (cause) => logger.warn({ brokerId, url, cause }, "connection to another broker"));
    socket.on("close", () => {
      this.#links.delete(url);
      this.#failedAtMs.set(url, clock.now());
      link.replies.fail(new CentroidError("HOST_LOST", `broker ${brokerId} went away; try again shortly`));
    });
    return link;
  }

  /** From a broker of this deployment: it has shown the admin token. */
  #accept(socket: WebSocket, { socket: tcp }: IncomingMessage): void {
    const batch = new TurnBatch(tcp, setImmediate);
    const answer = (said: BrokerAnswer): void => {
      if (socket.readyState !== socket.OPEN) return;
      batch.open();
      socket.send(JSON.stringify(said));
    };
    socket.on("error", () => socket.terminate());
    socket.on("message", (data: Buffer) => {
      const { logger } = this.#options;
      const message = tryRead(brokerMessageSchema, parsed(data));
      if (!message.success) {
        logger.warn({ cause: message.error }, "message of another broker not understood");
        socket.close(CLOSE_INVALID, "not understood");
        return;
      }
      try {
        this.#receive(message.data, answer);
      } catch (cause) {
        // What comes after it has nothing to do with it.
        logger.error({ type: message.data.type, cause }, "message of another broker could not be taken in");
      }
    });
  }

  #receive(message: BrokerMessage, answer: (said: BrokerAnswer) => void): void {
    const { onMeasured, onReport, onCarried, onWays } = this.#options;
    switch (message.type) {
      case "measured":
        onMeasured(message.body);
        return;
      case "carried":
        onCarried(message.players);
        return;
      case "ways":
        onWays(message.ways);
        return;
      case "report": {
        const { requestId, body } = message;
        try {
          answer({ requestId, result: onReport(body) });
        } catch (cause) {
          answer({ requestId, error: CentroidError.from(cause).toWire() });
        }
        return;
      }
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", JSON.stringify(never));
      }
    }
  }

  [Symbol.dispose](): void {
    this.#closed = true;
    for (const { socket } of this.#links.values()) socket.terminate();
    for (const socket of this.wss.clients) socket.terminate();
    this.wss.close();
  }
}

function put(link: Outgoing, message: BrokerMessage): void {
  const text = JSON.stringify(message);
  if (link.waiting === undefined) write(link, text);
  else if (link.waiting.length < MAX_WAITING) link.waiting.push(text);
}

function write({ socket, batch }: Outgoing, text: string): void {
  if (socket.readyState !== socket.OPEN) return;
  batch?.open();
  socket.send(text);
}

function parsed(data: Buffer): unknown {
  try {
    return JSON.parse(data.toString());
  } catch {
    return undefined;
  }
}
