/** Reads a recorded trace line by line; what is in a file is checked before it is believed. */
import { createReadStream } from "node:fs";
import {
  DEFAULT_PARAMETERS,
  type PlacementParameters,
  TRACE_VERSION,
  type TraceLine,
} from "@centroid/placement";
import { activitySchema, CentroidError } from "@centroid/protocol";
import { z } from "zod";

/** Read at a time. */
const CHUNK_BYTES = 2 ** 20;

const id = z.string().min(1);
const atMs = z.number();
const work = z.strictObject({ msPerRequest: z.number(), perSecond: z.number() });
const hostView = z.strictObject({
  hostId: id,
  state: z.enum(["active", "draining", "lost"]),
  capacityRooms: z.number(),
  rooms: z.number(),
  load: z.number(),
  carriers: z.array(z.string()),
  region: z.string(),
  costPerHour: z.number().exactOptional(),
  roomTypes: z.array(z.string()).exactOptional(),
  speed: z.strictObject({ oneCore: z.number(), allCores: z.number(), cores: z.number() }).exactOptional(),
  work: z.strictObject({ busyMsPerSecond: z.number(), playerMs: z.number() }).exactOptional(),
});
const probe = { playerId: id, hostId: id, atMs };
const known: readonly string[] = Object.keys(DEFAULT_PARAMETERS);
const parameters = z.custom<PlacementParameters>(
  (value) =>
    z
      .record(z.string(), z.union([z.number(), z.string(), z.array(z.number())]))
      .refine((given) => known.every((key) => key in given))
      .safeParse(value).success,
  "parameters must be complete",
);
const counts = z.record(z.string(), z.number());
const question = z.strictObject({
  pressed: z.array(id).exactOptional(),
  others: z.array(id),
  budget: z.strictObject({
    movesPerHost: z.number(),
    movesPerLink: z.number(),
    spentHosts: counts,
    spentLinks: counts,
    leaving: counts.exactOptional(),
  }),
});
// What was decided is only compared: nothing in it is believed, and most of a trace is decisions.
const decision = z.custom<object>(
  (value) => typeof value === "object" && value !== null,
  "must be an object",
);
const decided = { atMs, roomId: id, decision };

const lineSchema: z.ZodType<TraceLine> = z.discriminatedUnion("type", [
  z.strictObject({
    type: z.literal("start"),
    atMs,
    version: z.literal(TRACE_VERSION, `only version ${TRACE_VERSION} can be replayed`),
    parameters,
  }),
  z.strictObject({
    type: z.literal("host"),
    atMs,
    place: z.strictObject({ hostId: id, latitude: z.number(), longitude: z.number() }),
    host: hostView,
  }),
  z.strictObject({ type: z.literal("host-changed"), atMs, host: hostView }),
  z.strictObject({ type: z.literal("host-removed"), atMs, hostId: id }),
  z.strictObject({
    type: z.literal("player"),
    atMs,
    place: z.strictObject({
      playerId: id,
      latitude: z.number().exactOptional(),
      longitude: z.number().exactOptional(),
    }),
  }),
  z.strictObject({ type: z.literal("player-removed"), atMs, playerId: id }),
  z.strictObject({
    type: z.literal("probe"),
    atMs,
    probe: z.union([
      z.strictObject({ ...probe, rttMs: z.number() }),
      z.strictObject({ ...probe, lost: z.literal(true) }),
    ]),
  }),
  z.strictObject({ type: z.literal("room"), atMs, roomId: id, name: z.string(), carrier: z.string() }),
  z.strictObject({ type: z.literal("joined"), atMs, roomId: id, playerId: id }),
  z.strictObject({ type: z.literal("left"), atMs, roomId: id, playerId: id }),
  z.strictObject({ type: z.literal("moved"), atMs, roomId: id, hostId: id }),
  z.strictObject({ type: z.literal("activity"), atMs, roomId: id, activity: activitySchema.exactOptional() }),
  z.strictObject({
    type: z.literal("weights"),
    atMs,
    roomId: id,
    weights: z.array(z.tuple([id, z.number()])).exactOptional(),
  }),
  z.strictObject({ type: z.literal("tie"), atMs, roomIds: z.tuple([id, id]), players: z.number() }),
  z.strictObject({ type: z.literal("seen"), atMs, roomId: id }),
  z.strictObject({ type: z.literal("work"), atMs, roomId: id, work: work.exactOptional() }),
  z.strictObject({
    type: z.literal("receipt"),
    atMs,
    roomId: id,
    migrated: z.strictObject({
      mechanism: z.string(),
      fromHostId: id,
      toHostId: id,
      freezeMs: z.number(),
      degradedMs: z.number(),
      bytes: z.number(),
      atMs,
    }),
  }),
  z.strictObject({ type: z.literal("ended"), atMs, roomId: id }),
  z.strictObject({ type: z.literal("placed"), ...decided }),
  z.strictObject({ type: z.literal("evaluated"), ...decided }),
  z.strictObject({ type: z.literal("planned"), atMs, question, decision }),
]);

/**
 * As many lines at a time as were read: each is parsed when it is its turn, so that a long file need not be in memory and
 * nobody waits for every line.
 * @throws CentroidError BAD_REQUEST naming the line, for a file that cannot be read or is no trace
 */
export async function* readTrace(path: string): AsyncGenerator<Iterable<TraceLine>> {
  const input = createReadStream(path, { encoding: "utf8", highWaterMark: CHUNK_BYTES });
  try {
    let number = 0;
    let rest = "";
    for await (const chunk of input) {
      const texts = (rest + String(chunk)).split("\n");
      rest = texts.pop() ?? "";
      yield parsedLines(texts, path, number);
      number += texts.length;
    }
    if (rest !== "") yield parsedLines([rest], path, number);
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && "syscall" in cause)
      throw new CentroidError("BAD_REQUEST", `cannot read ${path} (${String(cause.code)})`, { cause });
    throw cause;
  } finally {
    input.destroy();
  }
}

function* parsedLines(texts: readonly string[], path: string, before: number): IterableIterator<TraceLine> {
  let number = before;
  for (const text of texts) yield parse(text, `${path}:${++number}`);
}

function parse(text: string, where: string): TraceLine {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    const message = `${where}: not JSON; if the broker was killed its last line is cut off, remove it`;
    throw new CentroidError("BAD_REQUEST", message, { cause });
  }
  const parsed = lineSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CentroidError(
    "BAD_REQUEST",
    `${where}: not a line of a trace: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`,
  );
}
