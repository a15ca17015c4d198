/**
 * A room, or a part of it, as bytes for another host or for a store: MessagePack with structured clones, so that
 * authors' data (Map, Set, Date, undefined, cycles) survives.
 */
import { CentroidError, tryRead } from "@centroid/protocol";
import { Packr } from "msgpackr";
import { z } from "zod";
import type { CarriedRoom } from "../colyseus/room-record.js";
import type { NodeRecord } from "../colyseus/schema/records.js";

/** Largest message; bulk is cut into chunks far below it. */
export const MAX_TRANSFER_FRAME_BYTES = 16 * 1024 * 1024;

/** Looked at closely when it is written into a state. */
export const nodeRecordSchema = z.custom<NodeRecord>(
  (value) => Array.isArray(value) && value.length >= 3,
  "node record",
);
export const carriedRoomSchema = z.custom<CarriedRoom>(
  (value) => Array.isArray((value as Partial<CarriedRoom> | null)?.heap),
  "room record of this version",
);

const packr = new Packr({ structuredClone: true, moreTypes: true, useRecords: false });

export const pack = (value: unknown): Buffer => packr.pack(value);

/**
 * @param what names the bytes in the error
 * @throws CentroidError FRAME_INVALID
 */
export function unpack<T>(bytes: Uint8Array, schema: z.ZodType<T>, what: string): T {
  let body: unknown;
  try {
    body = packr.unpack(bytes);
  } catch (cause) {
    throw new CentroidError("FRAME_INVALID", `${what} is not MessagePack`, { cause });
  }
  const parsed = tryRead(schema, body);
  if (!parsed.success) throw new CentroidError("FRAME_INVALID", `${what}: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}
