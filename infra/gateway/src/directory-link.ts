/**
 * What a broker says of rooms and hosts, for a gateway in a process of its own: one WebSocket, dialled again whenever it
 * breaks, to one broker after the other. Both ends prove that they know the gateway token. Questions wait while no
 * broker answers, so that a broker's restart is only a delay.
 */
import {
  type BeaconLookup,
  type BrokerToGateway,
  brokerToGatewaySchema,
  CentroidError,
  CLOSE_NORMAL,
  GATEWAY_PATH,
  type GatewayDirectory,
  type GatewayToBroker,
  type HostBeacon,
  type MeasuredByGateway,
  PROTOCOL_VERSION,
  type RoomLookup,
  readWire,
} from "@centroid/protocol";
import { newNonce, PendingReplies, prove, proves } from "@centroid/protocol/node";
import { WebSocket } from "ws";

const REDIAL_MS = 150;
/** A broker that refuses has its reasons; a new token does not come within milliseconds. */
const REFUSED_REDIAL_MS = 2_000;
const HANDSHAKE_TIMEOUT_MS = 3_000;
/** A broker's restart takes less. */
const ANSWER_TIMEOUT_MS = 8_000;
const PING_MS = 2_000;

export interface DirectoryLinkOptions {
  /** `ws(s)://host:port`, any of them will do. */
  brokerUrls: readonly string[];
  gatewayId: string;
  token: string;
  /** Where players reach this gateway; they are told of it if it is given. */
  publicUrl?: string | undefined;
  /** Things a person should know. */
  notice: (line: string) => void;
}

export class DirectoryLink implements GatewayDirectory, Disposable {
  readonly #options: DirectoryLinkOptions;
  readonly #replies = new PendingReplies();
  /** Asked while no broker answered, or not answered yet, by request id. */
  readonly #asked = new Map<number, GatewayToBroker>();
  readonly #opened: Promise<void>;
  #onOpened: () => void = () => undefined;
  #socket: WebSocket | undefined;
  #trusted = false;
  #at = 0;
  #ended = false;
  #redial: NodeJS.Timeout | undefined;

  constructor(options: DirectoryLinkOptions) {
    this.#options = options;
    this.#opened = new Promise((resolve) => {
      this.#onOpened = resolve;
    });
    this.#dial();
  }

  /** Resolves once a broker has taken this gateway. */
  get opened(): Promise<void> {
    return this.#opened;
  }

  /** A broker answers just now. */
  get connected(): boolean {
    return this.#trusted;
  }

  async room(processId: string, roomId: string, sessionId: string | null): Promise<RoomLookup> {
    const found = await this.#ask((requestId) => ({
      type: "find-room",
      requestId,
      processId,
      roomId,
      sessionId,
    }));
    return found as RoomLookup;
  }

  async beacon(hostId: string, network: string | undefined): Promise<BeaconLookup> {
    const found = await this.#ask((requestId) => ({
      type: "find-beacon",
      requestId,
      hostId,
      ...(network !== undefined && { network }),
    }));
    return found as BeaconLookup;
  }

  async measured(measured: MeasuredByGateway): Promise<HostBeacon[]> {
    const found = await this.#ask((requestId) => ({ type: "measured", requestId, measured }));
    return found as HostBeacon[];
  }

  async #ask(question: (requestId: number) => GatewayToBroker): Promise<unknown> {
    let id = 0;
    try {
      return await this.#replies.ask(
        (requestId) => {
          id = requestId;
          const asked = question(requestId);
          this.#asked.set(requestId, asked);
          if (this.#trusted) this.#send(asked);
        },
        {
          ms: ANSWER_TIMEOUT_MS,
          error: () => new CentroidError("NO_HOST", "no broker has answered; try again shortly"),
        },
      );
    } finally {
      this.#asked.delete(id);
    }
  }

  #dial(): void {
    const { brokerUrls, notice } = this.#options;
    const url = brokerUrls[this.#at++ % brokerUrls.length];
    const socket = new WebSocket(`${url}${GATEWAY_PATH}`, {
      perMessageDeflate: false,
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
    });
    this.#socket = socket;
    let redialMs = REDIAL_MS;
    let proven: Parameters<typeof prove>[2] | undefined;
    let answered = true;
    const ping = setInterval(() => {
      if (!answered) socket.terminate();
      answered = false;
      if (socket.readyState === WebSocket.OPEN) socket.ping();
    }, PING_MS);
    socket.on("pong", () => {
      answered = true;
    });
    socket.on("message", (data: Buffer) => {
      try {
        const message = parse(data);
        switch (message.type) {
          case "challenge": {
            const { gatewayId, token, publicUrl } = this.#options;
            const nonce = newNonce();
            proven = { protocol: PROTOCOL_VERSION, hostId: gatewayId, challenge: message.challenge, nonce };
            const proof = prove(token, "gateway", proven);
            this.#send({
              ...{ type: "answer", protocol: PROTOCOL_VERSION, gatewayId, nonce, proof },
              ...(publicUrl !== undefined && { publicUrl }),
            });
            return;
          }
          case "accepted":
            if (proven === undefined || !proves(message.proof, this.#options.token, "broker", proven)) {
              redialMs = REFUSED_REDIAL_MS;
              throw new CentroidError(
                "UNAUTHORIZED",
                `who answers at ${url} does not know the gateway token`,
              );
            }
            this.#trusted = true;
            this.#onOpened();
            for (const asked of this.#asked.values()) this.#send(asked);
            return;
          case "refused":
            redialMs = REFUSED_REDIAL_MS;
            throw CentroidError.fromWire(message.error);
          case "room":
          case "beacon":
          case "to-measure":
            if (this.#trusted) this.#replies.reply({ requestId: message.requestId, result: message.found });
            return;
          default: {
            const never: never = message;
            throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
          }
        }
      } catch (cause) {
        notice(`refused at ${url}, retrying: ${CentroidError.from(cause).message}`);
        socket.terminate();
      }
    });
    socket.on("error", () => undefined);
    socket.on("close", () => {
      clearInterval(ping);
      if (this.#socket !== socket || this.#ended) return;
      if (this.#trusted) notice(`broker ${url} cannot be reached; players stay connected`);
      this.#trusted = false;
      this.#redial = setTimeout(() => this.#dial(), redialMs);
    });
  }

  #send(message: GatewayToBroker): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#trusted = false;
    clearTimeout(this.#redial);
    this.#socket?.close(CLOSE_NORMAL, "gateway stops");
    this.#replies.fail(new CentroidError("HOST_LOST", "this gateway is shutting down"));
  }
}

function parse(data: Buffer): BrokerToGateway {
  let raw: unknown;
  try {
    raw = JSON.parse(data.toString());
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "gateway frame is not JSON", { cause });
  }
  return readWire(brokerToGatewaySchema, raw, "FRAME_INVALID", "gateway frame");
}
