/** A gateway's trunk at a room host: its streams, which outlive the connection for as long as a gateway takes to dial again. */
import { CentroidError, CLOSE_ABNORMAL } from "@centroid/protocol";
import {
  type CountedFrame,
  passAdmits,
  readTrunkPack,
  type StreamOpening,
  type TrunkFrame,
  TrunkPacker,
  type TrunkReader,
} from "@centroid/protocol/trunk";
import { CLOSE_INTERNAL, type OnFailed } from "../sockets/isolated.js";
import type { ServerSocket } from "../sockets/server-socket.js";
import { HostStream } from "./host-stream.js";

/** A gateway that has not dialled again by then has ended; players come back by another within that, or anew. */
const HOLD_MS = 5_000;
/** Of a stream that may not be opened here. */
const CLOSE_NOT_GIVEN = 4014;

export interface HostTrunkOptions {
  gatewayId: string;
  secret: string;
  accept: (opening: StreamOpening, socket: ServerSocket) => void;
  /** Given what goes wrong for one session. */
  failed: OnFailed;
  /** It has no connection and no streams any more. */
  onEnded: () => void;
}

export class HostTrunk {
  readonly #options: HostTrunkOptions;
  readonly #streams = new Map<number, HostStream>();
  #socket: ServerSocket | undefined;
  #packer: TrunkPacker | undefined;
  #hold: NodeJS.Timeout | undefined;
  readonly #reader: TrunkReader = {
    data: (stream, data) => this.#data(stream, data),
    frame: (frame) => this.#receive(frame),
  };

  constructor(options: HostTrunkOptions) {
    this.#options = options;
  }

  /** Goes on over this connection; an older one is closed. */
  attach(socket: ServerSocket): void {
    const old = this.#socket;
    this.#socket = undefined;
    old?.close(CLOSE_ABNORMAL, "another connection took over");
    for (const { channel } of this.#streams.values()) channel.detach();
    this.#socket = socket;
    this.#packer = new TrunkPacker((pack) => socket.send(pack), setImmediate);
    this.#waitForStreams();
    socket.onClose(() => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#packer = undefined;
      for (const { channel } of this.#streams.values()) channel.detach();
      this.#waitForStreams();
    });
  }

  /**
   * @param socket by which it came: what an older connection still brings is on its way again over the new one
   * @throws CentroidError what does not keep to the protocol: that costs the connection
   */
  receive(socket: ServerSocket, pack: Buffer): void {
    if (this.#socket === socket) readTrunkPack(pack, this.#reader);
  }

  #data(id: number, data: Buffer): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    stream.channel.take(data.byteLength);
    this.#confirm(id, stream.channel.dueAck());
    stream.received(data);
  }

  #receive(message: TrunkFrame): void {
    switch (message.type) {
      case "hello":
        throw new CentroidError("FRAME_INVALID", "hello twice");
      case "open":
        this.#open(message.stream, message.opening);
        return;
      case "close": {
        const stream = this.#streams.get(message.stream);
        if (stream === undefined) return;
        stream.channel.take(0);
        this.#confirm(message.stream, stream.channel.received);
        this.#streams.delete(message.stream);
        stream.gone(message.code);
        return;
      }
      case "ack": {
        const stream = this.#streams.get(message.stream);
        if (stream === undefined) return;
        if (!stream.channel.acknowledge(message.received))
          throw new CentroidError("FRAME_INVALID", "more confirmed than was sent");
        if (stream.closed && stream.channel.keptBytes === 0) this.#streams.delete(message.stream);
        return;
      }
      case "resume":
        this.#resume(message.stream, message.received);
        return;
      case "unknown":
        this.#streams.get(message.stream)?.gone(CLOSE_ABNORMAL);
        this.#streams.delete(message.stream);
        return;
      default: {
        const never: never = message;
        throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
      }
    }
  }

  #open(id: number, opening: StreamOpening): void {
    if (this.#streams.has(id)) throw new CentroidError("FRAME_INVALID", `stream ${id} is open`);
    const { gatewayId, secret, accept, failed } = this.#options;
    const stream = new HostStream(opening.passed === true, failed);
    this.#streams.set(id, stream);
    stream.channel.take(0);
    stream.channel.attach(0, this.#writer(id));
    // The gateway keeps it until then, headers and all, and a quiet player says nothing that would be confirmed.
    this.#confirm(id, stream.channel.received);
    const { roomId, sessionId, pass } = opening;
    if (pass === undefined || !passAdmits(pass, secret, { gatewayId, roomId, sessionId })) {
      stream.close(CLOSE_NOT_GIVEN, "this session was not given to this gateway");
      return;
    }
    try {
      accept(opening, stream);
    } catch (cause) {
      failed(cause);
      stream.close(CLOSE_INTERNAL, "internal error");
    }
  }

  #resume(id: number, received: number): void {
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      this.#packer?.say({ type: "unknown", stream: id });
      return;
    }
    this.#packer?.say({ type: "resume", stream: id, received: stream.channel.received });
    if (!stream.channel.attach(received, this.#writer(id)))
      throw new CentroidError("FRAME_INVALID", "a stream goes on where it never was");
    if (stream.closed && stream.channel.keptBytes === 0) this.#streams.delete(id);
  }

  #confirm(stream: number, received: number | undefined): void {
    if (received !== undefined) this.#packer?.say({ type: "ack", stream, received });
  }

  #writer(id: number): (frame: CountedFrame) => void {
    return (frame) => this.#packer?.counted(id, frame);
  }

  /** Streams that nobody has taken up again by then have broken. */
  #waitForStreams(): void {
    clearTimeout(this.#hold);
    this.#hold = setTimeout(() => {
      for (const [id, stream] of this.#streams) {
        if (stream.channel.attached) continue;
        this.#streams.delete(id);
        stream.gone(CLOSE_ABNORMAL);
      }
      if (this.#socket === undefined) this.#options.onEnded();
    }, HOLD_MS);
    this.#hold.unref();
  }
}
