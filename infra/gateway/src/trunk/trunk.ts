/**
 * The gateway's end of a trunk: one connection to a room host, dialled when it is first needed and again when it breaks.
 * Streams do not notice a break that is over within seconds; a room host that has ended answers nobody, and its streams
 * are lost at once.
 */
import { randomUUID } from "node:crypto";
import { CentroidError, CLOSE_NORMAL, PROTOCOL_VERSION } from "@centroid/protocol";
import { newNonce, prove, proves } from "@centroid/protocol/node";
import {
  type CountedFrame,
  encodeTrunkFrame,
  readTrunkPack,
  type StreamOpening,
  type TrunkFrame,
  type TrunkHello,
  TrunkPacker,
  type TrunkReader,
} from "@centroid/protocol/trunk";
import { WebSocket } from "ws";
import { TrunkStream } from "./trunk-stream.js";

/** A broken connection is dialled again for so long; the room host holds its side a little longer. */
const REDIAL_FOR_MS = 2_500;
const REDIAL_MS = 100;
const HANDSHAKE_TIMEOUT_MS = 2_000;
/** A room host that has not answered the last ping by the next one: the connection is dialled anew. */
const PING_MS = 2_000;
/** The whole state of a large room is one frame. */
const MAX_FRAME_BYTES = 64 * 1024 * 1024;
/** Without streams for so long it is closed. */
const IDLE_MS = 30_000;

export interface TrunkOptions {
  gatewayId: string;
  /** `ws://host:port[/path]` */
  url: string;
  /** What this gateway proves itself by there. */
  key: string;
  /** It is over; the next stream needs another. */
  onEnded: () => void;
}

type State =
  | {
      name: "dialling";
      socket: WebSocket;
      challenge?: Extract<TrunkHello, { step: "challenge" }>;
      nonce: string;
    }
  | { name: "carrying"; socket: WebSocket; packer: TrunkPacker }
  | { name: "waiting" }
  | { name: "ended" };

export class Trunk {
  readonly #options: TrunkOptions;
  readonly #run = randomUUID();
  readonly #streams = new Map<number, TrunkStream>();
  #state: State = { name: "waiting" };
  /** Of the room host; another one has none of the streams. */
  #instance: string | undefined;
  #next = 1;
  #brokeAtMs = performance.now();
  #redial: NodeJS.Timeout | undefined;
  #ping: NodeJS.Timeout | undefined;
  #idle: NodeJS.Timeout | undefined;

  constructor(options: TrunkOptions) {
    this.#options = options;
    this.#dial();
  }

  get ended(): boolean {
    return this.#state.name === "ended";
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Begins a stream; it is lost if no connection comes about. */
  open(opening: StreamOpening): TrunkStream {
    clearTimeout(this.#idle);
    const id = this.#next++;
    const stream = new TrunkStream(id, opening, this.#say);
    this.#streams.set(id, stream);
    if (this.#state.name === "carrying") this.#begin(stream);
    return stream;
  }

  /** Ends the connection; what is open is lost. */
  end(): void {
    if (this.#state.name === "ended") return;
    const socket = "socket" in this.#state ? this.#state.socket : undefined;
    if (this.#state.name === "carrying") this.#state.packer.flush();
    this.#state = { name: "ended" };
    clearTimeout(this.#redial);
    clearTimeout(this.#idle);
    clearInterval(this.#ping);
    socket?.close(CLOSE_NORMAL);
    this.#options.onEnded();
    for (const stream of [...this.#streams.values()]) stream.lost();
    this.#streams.clear();
  }

  #dial(): void {
    const socket = new WebSocket(
      `${this.#options.url}/trunk/${encodeURIComponent(this.#options.gatewayId)}`,
      {
        perMessageDeflate: false,
        maxPayload: MAX_FRAME_BYTES,
        handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      },
    );
    this.#state = { name: "dialling", socket, nonce: newNonce() };
    socket.binaryType = "nodebuffer";
    let refused = false;
    socket.on("upgrade", ({ socket: stream }) => void stream.setNoDelay(true));
    const reader: TrunkReader = {
      data: (stream, data) => {
        if (this.#carries(socket)) this.#streams.get(stream)?.received(data as Buffer<ArrayBuffer>);
      },
      frame: (frame) => this.#receive(socket, frame),
    };
    socket.on("message", (pack: Buffer) => {
      try {
        readTrunkPack(pack, reader);
      } catch {
        socket.terminate();
      }
    });
    // Nobody listens there: the room host has ended.
    socket.on("error", ({ code }: NodeJS.ErrnoException) => {
      refused = code === "ECONNREFUSED";
    });
    socket.on("close", () => this.#broke(socket, refused));
  }

  #broke(socket: WebSocket, refused: boolean): void {
    if (!("socket" in this.#state) || this.#state.socket !== socket) return;
    if (this.#state.name === "carrying") this.#brokeAtMs = performance.now();
    this.#state = { name: "waiting" };
    clearInterval(this.#ping);
    for (const { channel } of this.#streams.values()) channel.detach();
    if (refused || this.#streams.size === 0 || performance.now() - this.#brokeAtMs > REDIAL_FOR_MS)
      this.end();
    else this.#redial = setTimeout(() => this.#dial(), REDIAL_MS);
  }

  #carries(socket: WebSocket): boolean {
    return this.#state.name === "carrying" && this.#state.socket === socket;
  }

  #receive(socket: WebSocket, frame: TrunkFrame): void {
    if (frame.type === "hello") {
      this.#prove(socket, frame.hello);
      return;
    }
    const stream = this.#carries(socket) ? this.#streams.get(frame.stream) : undefined;
    if (stream === undefined) return;
    switch (frame.type) {
      case "close":
        stream.closedThere(frame.code, frame.reason);
        this.#forget(frame.stream);
        return;
      case "ack":
        if (!stream.channel.acknowledge(frame.received))
          throw new CentroidError("FRAME_INVALID", "more confirmed than was sent");
        if (stream.closed && stream.channel.keptBytes === 0) this.#forget(frame.stream);
        return;
      case "resume":
        if (!stream.channel.attach(frame.received, this.#writer(frame.stream)))
          throw new CentroidError("FRAME_INVALID", "a stream goes on where it never was");
        return;
      case "unknown":
        stream.lost();
        this.#forget(frame.stream);
        return;
      case "open":
        throw new CentroidError("FRAME_INVALID", "room hosts open no streams");
      default: {
        const never: never = frame;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  /** @throws CentroidError UNAUTHORIZED if whoever answers does not know the key */
  #prove(socket: WebSocket, hello: TrunkHello): void {
    const state = this.#state;
    if (state.name !== "dialling" || state.socket !== socket) return;
    const { gatewayId, key } = this.#options;
    if (hello.step === "challenge") {
      this.#state = { ...state, challenge: hello };
      const what = {
        protocol: PROTOCOL_VERSION,
        hostId: gatewayId,
        challenge: hello.challenge,
        nonce: state.nonce,
      };
      const proof = prove(key, "gateway", what);
      socket.send(
        encodeTrunkFrame({
          type: "hello",
          hello: { step: "answer", gatewayId, run: this.#run, nonce: state.nonce, proof },
        }),
      );
      return;
    }
    const { challenge } = state;
    if (hello.step !== "accepted" || challenge === undefined)
      throw new CentroidError("FRAME_INVALID", "no challenge");
    const what = {
      protocol: PROTOCOL_VERSION,
      hostId: gatewayId,
      challenge: challenge.challenge,
      nonce: state.nonce,
    };
    if (!proves(hello.proof, key, "room-host", what))
      throw new CentroidError("UNAUTHORIZED", "whoever answers is not the room host that the broker named");
    this.#carry(socket, challenge.instance);
  }

  #carry(socket: WebSocket, instance: string): void {
    const another = this.#instance !== undefined && this.#instance !== instance;
    const first = this.#instance === undefined;
    this.#instance = instance;
    const packer = new TrunkPacker((pack) => {
      if (this.#carries(socket)) socket.send(pack);
    }, setImmediate);
    this.#state = { name: "carrying", socket, packer };
    let answered = true;
    socket.on("pong", () => {
      answered = true;
    });
    this.#ping = setInterval(() => {
      if (!answered) socket.terminate();
      answered = false;
      socket.ping();
    }, PING_MS);
    this.#ping.unref();
    for (const [id, stream] of [...this.#streams]) {
      if (another && stream.readyState !== 0) {
        stream.lost();
        this.#streams.delete(id);
      } else if (first || stream.readyState === 0) this.#begin(stream);
      else this.#say({ type: "resume", stream: id, received: stream.channel.received });
    }
  }

  #begin(stream: TrunkStream): void {
    stream.channel.attach(0, this.#writer(stream.id));
    stream.opened();
  }

  #forget(id: number): void {
    this.#streams.delete(id);
    if (this.#streams.size > 0) return;
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      if (this.#streams.size === 0) this.end();
    }, IDLE_MS);
    this.#idle.unref();
  }

  readonly #say = (frame: TrunkFrame): void => {
    if (this.#state.name === "carrying") this.#state.packer.say(frame);
  };

  #writer(stream: number): (frame: CountedFrame) => void {
    return (frame) => {
      if (this.#state.name === "carrying") this.#state.packer.counted(stream, frame);
    };
  }
}
