/**
 * Gateways in processes of their own: each proves that it knows the gateway token, then asks where rooms are. What it
 * learns opens room hosts to itself only, and to the sessions that it asked for. A frame that does not parse costs the
 * gateway its connection and nobody else anything.
 */
import type { IncomingMessage } from "node:http";
import {
  type BrokerToGateway,
  CentroidError,
  CLOSE_REFUSED,
  type GatewayDirectory,
  type GatewayToBroker,
  gatewayToBrokerSchema,
  MAX_GATEWAYS,
  PROTOCOL_VERSION,
  readWire,
} from "@centroid/protocol";
import { newNonce, prove, proves } from "@centroid/protocol/node";
import { type WebSocket, WebSocketServer } from "ws";
import type { Clock } from "../base/clock.js";

const MAX_FRAME_BYTES = 16 * 1024;
/** A challenge is not good for longer. */
const ANSWER_TIMEOUT_MS = 5_000;

export interface GatewayLinksOptions {
  token: string;
  directoryFor: (gatewayId: string) => GatewayDirectory;
  clock: Clock;
}

export class GatewayLinks implements Disposable {
  readonly wss = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_FRAME_BYTES,
    perMessageDeflate: false,
  });
  readonly #options: GatewayLinksOptions;
  /** Addresses from which gateways are connected, and how many. */
  readonly #addresses = new Map<string, number>();

  /** Where players reach the gateways that are connected, and by how many links. */
  readonly #publicUrls = new Map<string, number>();

  constructor(options: GatewayLinksOptions) {
    this.#options = options;
    this.wss.on("connection", (socket, request) => this.#accept(socket, request));
  }

  /** A gateway is connected from there: it is believed whom it asks for. */
  has(address: string): boolean {
    return this.#addresses.has(address);
  }

  /** Where players reach gateways. */
  get publicUrls(): string[] {
    return [...this.#publicUrls.keys()].slice(0, MAX_GATEWAYS);
  }

  #accept(socket: WebSocket, { socket: tcp }: IncomingMessage): void {
    const address = tcp.remoteAddress ?? "";
    const challenge = newNonce();
    let directory: GatewayDirectory | undefined;
    let publicUrl: string | undefined;
    const cancel = this.#options.clock.after(ANSWER_TIMEOUT_MS, () =>
      socket.close(CLOSE_REFUSED, "no answer"),
    );
    socket.on("error", () => socket.terminate());
    socket.on("close", () => {
      cancel();
      if (directory === undefined) return;
      count(this.#addresses, address, -1);
      if (publicUrl !== undefined) count(this.#publicUrls, publicUrl, -1);
    });
    socket.on("message", (data: Buffer) => {
      try {
        const message = parse(data);
        if (message.type === "answer") {
          if (directory !== undefined) throw new CentroidError("BAD_REQUEST", "one answer is enough");
          const proof = this.#prove(challenge, message);
          cancel();
          directory = this.#options.directoryFor(message.gatewayId);
          count(this.#addresses, address, 1);
          publicUrl = message.publicUrl;
          if (publicUrl !== undefined) count(this.#publicUrls, publicUrl, 1);
          send(socket, { type: "accepted", proof });
          return;
        }
        if (directory === undefined) throw new CentroidError("UNAUTHORIZED", "answer the challenge first");
        void answer(directory, message).then((found) => send(socket, found));
      } catch (cause) {
        const error = CentroidError.from(cause);
        send(socket, { type: "refused", error: error.toWire() });
        socket.close(CLOSE_REFUSED, error.code);
      }
    });
    send(socket, { type: "challenge", challenge });
  }

  /**
   * @returns the broker's own proof
   * @throws CentroidError PROTOCOL_VERSION, UNAUTHORIZED
   */
  #prove(challenge: string, answered: Extract<GatewayToBroker, { type: "answer" }>): string {
    const { protocol, gatewayId, nonce, proof } = answered;
    if (protocol !== PROTOCOL_VERSION)
      throw new CentroidError(
        "PROTOCOL_VERSION",
        `this broker speaks protocol ${PROTOCOL_VERSION}, gateway ${gatewayId} speaks ${protocol}; install the same version on both`,
      );
    const { token } = this.#options;
    const what = { protocol, hostId: gatewayId, challenge, nonce };
    if (!proves(proof, token, "gateway", what))
      throw new CentroidError(
        "UNAUTHORIZED",
        `wrong gateway token for ${gatewayId}; start the gateway with this broker's token`,
      );
    return prove(token, "broker", what);
  }

  [Symbol.dispose](): void {
    for (const socket of this.wss.clients) socket.terminate();
    this.wss.close();
  }
}

function count(counts: Map<string, number>, what: string, by: number): void {
  const left = (counts.get(what) ?? 0) + by;
  if (left > 0) counts.set(what, left);
  else counts.delete(what);
}

async function answer(
  directory: GatewayDirectory,
  question: Exclude<GatewayToBroker, { type: "answer" }>,
): Promise<BrokerToGateway> {
  const { requestId } = question;
  switch (question.type) {
    case "find-room": {
      const { processId, roomId, sessionId } = question;
      return { type: "room", requestId, found: await directory.room(processId, roomId, sessionId) };
    }
    case "find-beacon": {
      const { hostId, network } = question;
      return { type: "beacon", requestId, found: await directory.beacon(hostId, network) };
    }
    case "measured":
      return { type: "to-measure", requestId, found: await directory.measured(question.measured) };
    default: {
      const never: never = question;
      throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
    }
  }
}

function send(socket: WebSocket, message: BrokerToGateway): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
}

function parse(data: Buffer): GatewayToBroker {
  let raw: unknown;
  try {
    raw = JSON.parse(data.toString());
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "gateway frame is not JSON", { cause });
  }
  return readWire(gatewayToBrokerSchema, raw, "FRAME_INVALID", "gateway frame");
}
