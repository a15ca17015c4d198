/**
 * What a history consists of. Rooms and players write down each thing at the moment they do it, one JSON line per
 * event; faults are written down by whoever causes them. Times are of the machine's monotonic clock, which all of its
 * processes share, so events of different processes can be put in order.
 */
import { z } from "zod";

const count = z.number().int().nonnegative();

/** What each line has. */
const base = { atMs: z.number() };
/** Whatever a room does, it does in one life: from the moment it is built in a process until it ends or moves there. */
const effect = {
  ...base,
  roomId: z.string(),
  life: z.string(),
  epoch: count,
  /** Process id. */
  host: z.number().int(),
  /** How many things the room had done before this one, in earlier lives included. */
  position: count,
};

export const historyEventSchema = z.discriminatedUnion("type", [
  /** A room was built out of a copy that an earlier life of it had made when it stood at `position`. */
  z.object({
    ...base,
    type: z.literal("thawed"),
    roomId: z.string(),
    life: z.string(),
    /** Process id. */
    host: z.number().int(),
    from: z.object({ life: z.string(), position: count, tick: count }),
    /** The last number that the room's state has of each session. */
    last: z.record(z.string(), count),
  }),
  /** The room took in a player's message. */
  z.object({ ...effect, type: z.literal("heard"), session: z.string(), number: count }),
  /** The room took one step and told all players about it under the number `tick`. */
  z.object({ ...effect, type: z.literal("ticked"), tick: count }),
  z.object({ ...base, type: z.literal("sent"), roomId: z.string(), session: z.string(), number: count }),
  /** The server said that it needs none of the messages up to this number again. */
  z.object({ ...base, type: z.literal("acknowledged"), session: z.string(), number: count }),
  /** A player received what the room told all players. */
  z.object({
    ...base,
    type: z.literal("got"),
    roomId: z.string(),
    session: z.string(),
    life: z.string(),
    tick: count,
  }),
  /** A player's connection was made anew in Colyseus' own way, which promises less. */
  z.object({ ...base, type: z.literal("reconnected"), session: z.string() }),
  /** A session ended though its player did not leave. */
  z.object({ ...base, type: z.literal("ended"), session: z.string(), code: z.number() }),
  /** Something was done to processes, until `untilMs` or for ever. */
  z.object({
    ...base,
    type: z.literal("fault"),
    what: z.string(),
    hosts: z.array(z.number().int()),
    untilMs: z.number().optional(),
  }),
  /** All players have stopped talking and everything had time to arrive. */
  z.object({ ...base, type: z.literal("settled") }),
]);

export type HistoryEvent = z.infer<typeof historyEventSchema>;
export type EventOf<T extends HistoryEvent["type"]> = Extract<HistoryEvent, { type: T }>;
/** Something a room did. */
export type Effect = EventOf<"heard" | "ticked">;

/** The clock of all histories on this machine. */
export const historyNowMs = (): number => Number(process.hrtime.bigint()) / 1e6;
