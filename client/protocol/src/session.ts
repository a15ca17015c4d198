/**
 * Control frames between the SDK and a room host, in band with Colyseus frames on the same socket.
 *
 * A data frame carries no header: both ends count frames per session, as TLS counts records (RFC 8446,
 * 5.3), so exactly-once costs no bytes while nothing moves. Only control frames carry the counters.
 */
import { Packr } from "msgpackr";
import * as z from "zod/mini";
import { CentroidError } from "./errors.js";
import {
  hostSummarySchema,
  playerSideIdSchema as id,
  MAX_NEXT,
  MAX_REPORTS,
  playerLocationSchema,
  playerNetworkSchema,
  probeReportSchema,
} from "./player-api.js";
import { readWire } from "./read.js";

/** First byte of a control frame. Colyseus uses 0..31 with modifier bits; base code 31 is not assigned. */
export const CONTROL_BYTE = 0xff;
/** Control frames are small; anything larger is an attack or a bug. */
export const MAX_CONTROL_FRAME_BYTES = 16 * 1024;
/** Fields that a digest leaves out. */
export const MAX_SKIPPED_FIELDS = 1_000;
/** Nodes that a client whose state differs names; all that a control frame holds. */
export const MAX_DIVERGED_NODES = 1_000;
/** Close code of a normal end (RFC 6455, 7.4.1). */
export const CLOSE_NORMAL = 1000;
/** Of a connection that was closed without a code; it may not be sent. */
export const CLOSE_NO_STATUS = 1005;
/** Of a connection that broke, or could not be made; it may not be sent. Colyseus takes a session for dropped by it. */
export const CLOSE_ABNORMAL = 1006;
/** Close code: ask the broker where the room is now. Colyseus' own for "dial again" (CloseCode.MAY_TRY_RECONNECT). */
export const CLOSE_ROOM_MOVED = 4010;
/** Close code: this host has no place for the connection, and asking again will not change that. */
export const CLOSE_REFUSED = 4014;
/** Close code: this player sends more frames a second than the deployment allows. */
export const CLOSE_TOO_FAST = 4015;
/** Close code of the SDK to a gateway: the session goes on by another one, so the room is not to take it for gone. */
export const CLOSE_GOING_OVER = 4016;
/**
 * Close code: the room has dropped this player without a code (`client.leave()`). To Colyseus' client that is a broken
 * connection; to the SDK it is one that need not be looked for elsewhere.
 */
export const CLOSE_DROPPED = 4017;
/** Close code of the SDK: the room was ended for good. Colyseus' own for "with an error" (CloseCode.WITH_ERROR). */
export const CLOSE_ROOM_ENDED = 4002;
/** URL query with the reconnection token of a session whose host was lost. */
export const RESTORE_QUERY = "restore";
/** URL query beside {@link RESTORE_QUERY}: data frames that the session has had, if its old connection brings no more. */
export const RECEIVED_QUERY = "received";
/** URL query beside {@link RESTORE_QUERY}: in which epoch the session was connected last, and how many data frames it has. */
export const HAD_QUERY = "had";
/** How far a session has come: in which epoch it was connected last, and the data frames it has had by then. */
export interface SessionProgress {
  epoch: number;
  received: number;
}
/** URL query that tells a room host that this client speaks control frames. */
export const CONTROL_QUERY = "centroid";
/** URL query of a connection to a standby: it may become the one to the destination when the room moves there. */
export const PROMOTE_QUERY = "promote";
/** URL query that tells a room host that this client can compare its state with the room's. */
export const COMPARE_QUERY = "compare";

/**
 * URL query that tells a room host that this client knows it to be there by whatever it is sent, and says what it has
 * measured to whoever takes that.
 */
export const MEASURE_QUERY = "measure";

const count = z.int().check(z.nonnegative());

/** Room host to client. */
export const serverControlSchema = z.discriminatedUnion("type", [
  /** The room will move: connect to the destination now, keep using this socket until `moved`. */
  z.object({
    type: z.literal("moving"),
    migrationId: id,
    epoch: count,
    url: z.string(),
    ticket: z.string(),
    host: hostSummarySchema,
    /** It has the room's standby: the connection to that is the one to the destination, too. */
    promotes: z.optional(z.boolean()),
  }),
  /** Last frame of this socket. `sent`: data frames the source sent this session in all. */
  z.object({ type: z.literal("moved"), migrationId: id, epoch: count, sent: count }),
  /** The move is off; close the second socket and go on here. */
  z.object({ type: z.literal("cancelled"), migrationId: id }),
  /**
   * First frame of the destination. Data frames from here on are the ones after the first `sent` of the
   * session; the client sends its own again after the first `received`, and keeps all that no `ack` has named.
   */
  z.object({
    type: z.literal("resumed"),
    epoch: count,
    received: count,
    sent: count,
    patchRateMs: z.number(),
    /** The room was built from a checkpoint: `sent` may be less than the client has; the whole state follows. */
    restored: z.optional(z.boolean()),
    /** The room runs where it ran; only the connection is another, since the gateway of the old one is lost. */
    stayed: z.optional(z.boolean()),
    /** Of the restoration, for the client's report. */
    migrationId: z.optional(id),
  }),
  /**
   * Answers a `replay` that came after `resumed`: the next `count` data frames are older than all others on this socket,
   * those that the old one lost.
   */
  z.object({ type: z.literal("replaying"), count }),
  /** A warm standby of the room is there: connect to it now, keep using this socket; `resumed` comes if it takes over. */
  z.object({ type: z.literal("standby"), url: z.string(), host: hostSummarySchema }),
  /**
   * A gateway lies in between, which may be lost with what it has not passed on: data frames of this session are kept from
   * here on until the client says `received`.
   */
  z.object({ type: z.literal("keeping") }),
  /** Nothing to say, but still here. `measures`: takes `measured`, from clients with {@link MEASURE_QUERY}. */
  z.object({ type: z.literal("alive"), measures: z.optional(z.boolean()) }),
  /** Answers `measured`: hosts to measure next beside the room's own, and after what time. */
  z.object({
    type: z.literal("measure"),
    next: z.array(id).check(z.maxLength(MAX_NEXT)),
    intervalMs: z.number().check(z.nonnegative()),
  }),
  /**
   * What the room's state is after the patch before this, without the fields that `skip` names. A client whose copy
   * differs answers `diverged`.
   */
  z.object({
    type: z.literal("digest"),
    number: count,
    hash: z.string(),
    skip: z.array(z.tuple([count, count])).check(z.maxLength(MAX_SKIPPED_FIELDS)),
  }),
  /**
   * Before all else to a client that has reconnected as Colyseus does it, with counters that begin anew: of the data frames
   * that it sent as they were counted before, the room has processed so many.
   */
  z.object({ type: z.literal("returned"), received: count }),
  /** The order of a map's entries, by their wire indexes. */
  z.object({ type: z.literal("map-order"), refId: count, indexes: z.array(count) }),
  /** So many data frames of the client survive this host; the client may forget what it kept up to there. */
  z.object({ type: z.literal("ack"), received: count }),
]);
export type ServerControl = z.infer<typeof serverControlSchema>;

/** Client to room host. */
export const clientControlSchema = z.discriminatedUnion("type", [
  /** The old socket broke before its last frame: send again what follows `received`. Said once in a move. */
  z.object({ type: z.literal("replay"), received: count }),
  /** So many data frames of the host have arrived; it may forget what it kept up to there. */
  z.object({ type: z.literal("received"), received: count }),
  /** Its copy of the state is another than `digest` of that number says. Hashes of the first of its nodes, by refId. */
  z.object({
    type: z.literal("diverged"),
    number: count,
    nodes: z.array(z.tuple([count, count])).check(z.maxLength(MAX_DIVERGED_NODES)),
  }),
  /** Round trips to hosts, for the broker. */
  z.object({
    type: z.literal("measured"),
    network: z.optional(playerNetworkSchema),
    location: z.optional(playerLocationSchema),
    probes: z.array(probeReportSchema).check(z.maxLength(MAX_REPORTS)),
  }),
  /** What the move looked like from here. */
  z.object({
    type: z.literal("report"),
    migrationId: id,
    gapMs: z.number().check(z.nonnegative()),
    patchRateMs: z.number().check(z.nonnegative()),
    lost: count,
    duplicated: count,
    /** Frames heard that the restored room has not said: it may say them again. */
    undone: z.optional(count),
  }),
]);
export type ClientControl = z.infer<typeof clientControlSchema>;

const packr = new Packr({ useRecords: false });

/** Encodes a control frame, `CONTROL_BYTE` first. */
export function encodeControl(message: ServerControl | ClientControl): Uint8Array {
  const body = packr.pack(message);
  const frame = new Uint8Array(body.byteLength + 1);
  frame[0] = CONTROL_BYTE;
  frame.set(body, 1);
  return frame;
}

/** True if the frame is a control frame; everything else belongs to Colyseus. */
export function isControl(frame: Uint8Array): boolean {
  return frame[0] === CONTROL_BYTE;
}

function decode<T>(frame: Uint8Array, schema: z.core.$ZodType<T>): T {
  if (frame.byteLength > MAX_CONTROL_FRAME_BYTES) {
    throw new CentroidError(
      "FRAME_TOO_LARGE",
      `control frame of ${frame.byteLength} bytes; at most ${MAX_CONTROL_FRAME_BYTES}`,
    );
  }
  let body: unknown;
  try {
    body = packr.unpack(frame.subarray(1));
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", "control frame is not MessagePack", { cause });
  }
  return readWire(schema, body, "FRAME_INVALID", "control frame");
}

/** @throws CentroidError FRAME_INVALID | FRAME_TOO_LARGE */
export const decodeServerControl = (frame: Uint8Array): ServerControl => decode(frame, serverControlSchema);
/** @throws CentroidError FRAME_INVALID | FRAME_TOO_LARGE */
export const decodeClientControl = (frame: Uint8Array): ClientControl => decode(frame, clientControlSchema);
