/**
 * Frames of a trunk: a type, the stream, and what the type says. `open`, `data` and `close` are counted; the others
 * carry the counters, or belong to the connection.
 */
import { z } from "zod";
import { CentroidError } from "../errors.js";
import { readWire } from "../read.js";

const TYPES = { hello: 0, open: 1, data: 2, close: 3, ack: 4, resume: 5, unknown: 6 } as const;
const HEAD_BYTES = 5;
/** Reasons of a close are at most this long (RFC 6455, 5.5). */
const MAX_REASON_BYTES = 123;

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
});
/** A session that begins, or goes on, at a room host. */
export type StreamOpening = z.infer<typeof openSchema>;

export type TrunkFrame =
  | { type: "hello"; hello: TrunkHello }
  | { type: "open"; stream: number; opening: StreamOpening }
  /** `data` is a view of the frame. */
  | { type: "data"; stream: number; data: Buffer }
  | { type: "close"; stream: number; code: number; reason: string }
  /** So many counted frames of the stream have arrived. */
  | { type: "ack"; stream: number; received: number }
  /** After a new connection: so many have arrived, the rest is to follow. Answered likewise, or with `unknown`. */
  | { type: "resume"; stream: number; received: number }
  | { type: "unknown"; stream: number };

export function encodeTrunkFrame(frame: TrunkFrame): Buffer {
  switch (frame.type) {
    case "hello":
      return headed("hello", 0, Buffer.from(JSON.stringify(frame.hello)));
    case "open":
      return headed("open", frame.stream, Buffer.from(JSON.stringify(frame.opening)));
    case "data":
      return headed("data", frame.stream, frame.data);
    case "close": {
      const code = Buffer.alloc(2);
      code.writeUInt16BE(frame.code);
      const reason = Buffer.from(frame.reason).subarray(0, MAX_REASON_BYTES);
      return headed("close", frame.stream, Buffer.concat([code, reason]));
    }
    case "ack":
    case "resume": {
      const received = Buffer.alloc(4);
      received.writeUInt32BE(frame.received);
      return headed(frame.type, frame.stream, received);
    }
    case "unknown":
      return headed("unknown", frame.stream, Buffer.alloc(0));
    default: {
      const never: never = frame;
      throw new CentroidError("INTERNAL", `unhandled ${JSON.stringify(never)}`);
    }
  }
}

/** The busiest one. */
export const encodeTrunkData = (stream: number, data: Uint8Array): Buffer => headed("data", stream, data);

function headed(type: keyof typeof TYPES, stream: number, body: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(HEAD_BYTES + body.byteLength);
  frame[0] = TYPES[type];
  frame.writeUInt32BE(stream, 1);
  frame.set(body, HEAD_BYTES);
  return frame;
}

/** @throws CentroidError FRAME_INVALID */
export function decodeTrunkFrame(frame: Buffer): TrunkFrame {
  if (frame.byteLength < HEAD_BYTES) throw invalid("too short");
  const stream = frame.readUInt32BE(1);
  const body = frame.subarray(HEAD_BYTES);
  switch (frame[0]) {
    case TYPES.hello:
      return { type: "hello", hello: readWire(trunkHelloSchema, parsed(body), "FRAME_INVALID", "trunk") };
    case TYPES.open:
      return { type: "open", stream, opening: readWire(openSchema, parsed(body), "FRAME_INVALID", "trunk") };
    case TYPES.data:
      return { type: "data", stream, data: body };
    case TYPES.close:
      if (body.byteLength < 2) throw invalid("close without a code");
      return { type: "close", stream, code: body.readUInt16BE(), reason: body.subarray(2).toString() };
    case TYPES.ack:
    case TYPES.resume:
      if (body.byteLength !== 4) throw invalid("no counter");
      return {
        type: frame[0] === TYPES.ack ? "ack" : "resume",
        stream,
        received: body.readUInt32BE(),
      };
    case TYPES.unknown:
      return { type: "unknown", stream };
    default:
      throw invalid(`type ${frame[0]}`);
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
