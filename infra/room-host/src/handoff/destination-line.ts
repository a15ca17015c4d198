/** A source's connection to the destination of a move: what is sent, what is awaited, and what breaks it. */
import { CentroidError, type Destination } from "@centroid/protocol";
import { WebSocket } from "ws";
import { MAX_TRANSFER_FRAME_BYTES } from "../transfer/packing.js";
import {
  decodeFromDestination,
  encodeTransfer,
  type FromDestination,
  type FromSource,
} from "./handoff-wire.js";

/** What the destination says on its own accord. */
export type Unasked = Extract<FromDestination, { type: UnaskedType }>;
type UnaskedType = "attached" | "replay" | "agreed" | "differs";
type Awaited = Exclude<FromDestination["type"], UnaskedType | "refused" | "has">;
type AwaitedMessage = Extract<FromDestination, { type: Awaited }>;

export interface DestinationLineOptions {
  destination: Destination;
  deadlineMs: number;
  now: () => number;
  onUnasked: (message: Unasked) => void;
  /** Whoever waits for something else than a message must look again: {@link DestinationLine.check} throws. */
  onFailed: () => void;
}

export class DestinationLine {
  readonly #options: DestinationLineOptions;
  readonly #inbox: AwaitedMessage[] = [];
  #socket: WebSocket | undefined;
  #waiting:
    | { type: Awaited; resolve: (message: AwaitedMessage) => void; reject: (error: Error) => void }
    | undefined;
  #broken: CentroidError | undefined;
  #settled = false;
  #rttMs = 0;
  #bytes = 0;

  constructor(options: DestinationLineOptions) {
    this.#options = options;
  }

  /** Sent so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Round trip to the destination, ms; 0 until it is known. */
  get rttMs(): number {
    return this.#rttMs;
  }

  /** @throws CentroidError HOST_LOST */
  async connect(): Promise<void> {
    const { destination, deadlineMs } = this.#options;
    const { transferUrl, ticket } = destination;
    const socket = new WebSocket(`${transferUrl}?ticket=${ticket}`, {
      perMessageDeflate: false,
      maxPayload: MAX_TRANSFER_FRAME_BYTES,
      handshakeTimeout: deadlineMs,
    });
    this.#listen(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", resolve);
      this.#waiting = { type: "ready", resolve: () => undefined, reject };
    });
    this.#waiting = undefined;
    this.check();
    this.#measure(socket);
  }

  /** A connection that is there already, over which a round trip takes so long. */
  adopt(socket: WebSocket, rttMs: number): void {
    this.#rttMs = rttMs;
    this.#listen(socket);
  }

  #listen(socket: WebSocket): void {
    socket.binaryType = "nodebuffer";
    this.#socket = socket;
    socket.on("message", (data: Buffer) => this.#onMessage(data));
    socket.on("error", (cause) =>
      this.fail(new CentroidError("HOST_LOST", `destination not reachable: ${cause.message}`, { cause })),
    );
    socket.on("close", () =>
      this.fail(new CentroidError("HOST_LOST", "connection to the destination broke")),
    );
  }

  #measure(socket: WebSocket): void {
    const { now } = this.#options;
    const pingedAtMs = now();
    socket.once("pong", () => {
      this.#rttMs = now() - pingedAtMs;
    });
    socket.ping();
  }

  send(message: FromSource): void {
    const bytes = encodeTransfer(message);
    this.#bytes += bytes.byteLength;
    this.#socket?.send(bytes);
  }

  /** The same, if the line still holds. */
  trySend(message: FromSource): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.send(message);
  }

  /** The next message of that type, which may have come already. @throws CentroidError what broke the line */
  receive<T extends Awaited>(type: T): Promise<Extract<FromDestination, { type: T }>> {
    this.check();
    type Wanted = Extract<FromDestination, { type: T }>;
    const early = this.#inbox.findIndex((message) => message.type === type);
    if (early >= 0) return Promise.resolve(this.#inbox.splice(early, 1)[0] as Wanted);
    return new Promise((resolve, reject) => {
      this.#waiting = { type, resolve: resolve as (message: AwaitedMessage) => void, reject };
    });
  }

  /** The move cannot go on. The first reason counts. */
  fail(error: CentroidError): void {
    if (this.#settled) return;
    this.#broken ??= error;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
    this.#options.onFailed();
  }

  /** @throws CentroidError what broke the line */
  check(): void {
    if (this.#broken !== undefined) throw this.#broken;
  }

  /** The move is decided: what happens to the line from here on changes nothing. */
  settle(): void {
    this.#settled = true;
  }

  close(): void {
    this.#socket?.close();
  }

  #onMessage(data: Buffer): void {
    let message: FromDestination;
    try {
      message = decodeFromDestination(data);
    } catch (cause) {
      this.fail(CentroidError.from(cause));
      return;
    }
    switch (message.type) {
      case "attached":
      case "replay":
      case "agreed":
      case "differs":
        this.#options.onUnasked(message);
        return;
      case "refused":
        this.fail(CentroidError.fromWire(message.error));
        return;
      case "has":
        return;
      case "ready":
      case "built":
      case "accepted":
        if (this.#waiting?.type === message.type) {
          const { resolve } = this.#waiting;
          this.#waiting = undefined;
          resolve(message);
        } else this.#inbox.push(message);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }
}
