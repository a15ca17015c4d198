/**
 * Frames of a trunk: length of the body, type, stream, body. One WebSocket message is a pack of them, one behind the other.
 * `open`, `data` and `close` are counted; the others carry the counters, or belong to the connection.
 */
import { z } from "zod";
import { CentroidError } from "../errors.js";
import { readWire } from "../read.js";

const TYPES = { hello: 0, open: 1, data: 2, close: 3, ack: 4, resume: 5, unknown: 6 } as const;
/** Length of the body (32 bits), type (8), stream (32), all big-endian. */
const HEAD_BYTES = 9;
const LENGTH_BYTES = 4;
/** Reasons of a close are at most this long (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

const NOTHING = new Uint8Array(0);

const nonce = z.string().min(16).max(64);
const proof = z.string().max(128);
const id = z.string().min(1).max(128);

/** Both ends prove themselves before anything else is said. */
const trunkHelloSchema = z.discriminatedUnion("step", [
  /** Room host: `instance` is another one after each start. */
  z.object({ step: z.literal("challenge"), challenge: nonce, instance: id }),
  /** Gateway: `run` names the trunk, so that the next connection goes on with its streams. */
  z.object({ step: z.literal("answer"), gatewayId: id, run: id, nonce, proof }),
  z.object({ step: z.literal("accepted"), proof }),
]);
export type TrunkHello = z.infer<typeof trunkHelloSchema>;

const openSchema = z.object({
  roomId: z.string().max(128),
  sessionId: z.string().max(128),
  /** As the player asked, `?` not included. */
  query: z.string().max(8_192),
  headers: z.record(z.string(), z.string()),
  /** Whose connection the gateway carries. */
  address: z.string().max(64),
  pass: proof.optional(),
  /** The player's own client follows the room: what the gateway has taken and not passed on is lost with the gateway. */
  passed: z.boolean().optional(),
});
/** A session that begins, or goes on, at a room host. */
export type StreamOpening = z.infer<typeof openSchema>;

/** What a player or a room says; by far most frames. */
interface DataFrame {
  type: "data";
  stream: number;
  data: Uint8Array;
}

/** Any other frame. */
export type TrunkFrame =
  | { type: "hello"; hello: TrunkHello }
  | { type: "open"; stream: number; opening: StreamOpening }
  | { type: "close"; stream: number; code: number; reason: string }
  /** So many counted frames of the stream have arrived. */
  | { type: "ack"; stream: number; received: number }
  /** After a new connection: so many have arrived, the rest is to follow. Answered likewise, or with `unknown`. */
  | { type: "resume"; stream: number; received: number }
  | { type: "unknown"; stream: number };

/** A stream's begin or end as a channel keeps it until the other end has counted it. */
export interface StreamBoundary {
  readonly type: "open" | "close";
  readonly body: Uint8Array;
  readonly byteLength: number;
}

/** What a channel of a trunk keeps: data as it was given, or a boundary. */
export type CountedFrame = Uint8Array | StreamBoundary;

export const openBoundary = (opening: StreamOpening): StreamBoundary =>
  boundary("open", Buffer.from(JSON.stringify(opening)));

export function closeBoundary(code: number, reason: string): StreamBoundary {
  const words = Buffer.from(reason).subarray(0, MAX_REASON_BYTES);
  const body = Buffer.alloc(2 + words.byteLength);
  body.writeUInt16BE(code);
  body.set(words, 2);
  return boundary("close", body);
}

const boundary = (type: StreamBoundary["type"], body: Uint8Array): StreamBoundary => ({
  type,
  body,
  byteLength: body.byteLength,
});

/** Bytes that a frame with such a body takes in a pack. */
export const framedBytes = (bodyBytes: number): number => HEAD_BYTES + bodyBytes;

/** Writes a frame into a pack that has room for it. @returns where the next one begins */
export function writeFrame(
  pack: Buffer,
  at: number,
  type: keyof typeof TYPES,
  stream: number,
  body: Uint8Array,
): number {
  pack.writeUInt32BE(body.byteLength, at);
  pack[at + LENGTH_BYTES] = TYPES[type];
  pack.writeUInt32BE(stream, at + LENGTH_BYTES + 1);
  pack.set(body, at + HEAD_BYTES);
  return at + HEAD_BYTES + body.byteLength;
}

/** Type, stream and body of a frame, to be written. */
export function frameParts(
  frame: TrunkFrame | DataFrame,
): [type: keyof typeof TYPES, stream: number, body: Uint8Array] {
  switch (frame.type) {
    case "hello":
      return ["hello", 0, Buffer.from(JSON.stringify(frame.hello))];
    case "open":
      return ["open", frame.stream, openBoundary(frame.opening).body];
    case "data":
      return ["data", frame.stream, frame.data];
    case "close":
      return ["close", frame.stream, closeBoundary(frame.code, frame.reason).body];
    case "ack":
    case "resume": {
      const received = Buffer.allocUnsafe(4);
      received.writeUInt32BE(frame.received);
      return [frame.type, frame.stream, received];
    }
    case "unknown":
      return ["unknown", frame.stream, NOTHING];
    default: {
      const never: never = frame;
      throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
    }
  }
}

/** A pack of one frame. */
export function encodeTrunkFrame(frame: TrunkFrame | DataFrame): Buffer {
  const [type, stream, body] = frameParts(frame);
  const pack = Buffer.allocUnsafe(framedBytes(body.byteLength));
  writeFrame(pack, 0, type, stream, body);
  return pack;
}

/** What becomes of the frames of a pack. */
export interface TrunkReader {
  /** @param data a view of the pack */
  data(stream: number, data: Buffer): void;
  frame(frame: TrunkFrame): void;
}

/** Gives the frames of a pack to the reader, in order. @throws CentroidError FRAME_INVALID, after those before it */
export function readTrunkPack(pack: Buffer, reader: TrunkReader): void {
  if (pack.byteLength === 0) throw invalid("empty");
  for (let at = 0; at < pack.byteLength; ) {
    const from = at + HEAD_BYTES;
    if (from > pack.byteLength) throw invalid("too short");
    const end = from + pack.readUInt32BE(at);
    if (end > pack.byteLength) throw invalid("cut short");
    const type = pack[at + LENGTH_BYTES];
    const stream = pack.readUInt32BE(at + LENGTH_BYTES + 1);
    const body = pack.subarray(from, end);
    if (type === TYPES.data) reader.data(stream, body);
    else reader.frame(decoded(type, stream, body));
    at = end;
  }
}

function decoded(type: number | undefined, stream: number, body: Buffer): TrunkFrame {
  switch (type) {
    case TYPES.hello:
      return { type: "hello", hello: readWire(trunkHelloSchema, parsed(body), "FRAME_INVALID", "trunk") };
    case TYPES.open:
      return { type: "open", stream, opening: readWire(openSchema, parsed(body), "FRAME_INVALID", "trunk") };
    case TYPES.close:
      if (body.byteLength < 2) throw invalid("close without a code");
      return { type: "close", stream, code: body.readUInt16BE(), reason: body.subarray(2).toString() };
    case TYPES.ack:
    case TYPES.resume:
      if (body.byteLength !== 4) throw invalid("no counter");
      return { type: type === TYPES.ack ? "ack" : "resume", stream, received: body.readUInt32BE() };
    case TYPES.unknown:
      return { type: "unknown", stream };
    default:
      throw invalid(`type ${type}`);
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString());
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "trunk frame is not JSON", { cause });
  }
}

const invalid = (what: string): CentroidError => new CentroidError("FRAME_INVALID", `trunk frame: ${what}`);
