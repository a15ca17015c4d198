/** What the bots of one worker saw since they last told: sums and samples, added up by the parent. */
import { z } from "zod";

const count = z.number().int().nonnegative();

export const tallySchema = z.object({
  /** Players in a room right now. */
  playing: count,
  joinsOk: count,
  joinsFailed: count,
  joinMs: z.array(z.number()),
  /** Application round trips, ms. */
  rttMs: z.array(z.number()),
  /** Ids of moves seen; one move is seen by many. */
  migrationIds: z.array(z.string()),
  /** Longest silence of the state around a move, by player, ms. */
  silenceMs: z.array(z.number()),
  /** The same less one update interval: what the move added. */
  freezeMs: z.array(z.number()),
  sent: count,
  received: count,
  updates: count,
  lost: count,
  duplicated: count,
  reordered: count,
  /** Sessions whose messages the room got in another order or content than sent. */
  corrupted: count,
  errors: z.record(z.string(), count),
});
export type TallyData = z.infer<typeof tallySchema>;

const empty = (playing: number): TallyData => ({
  playing,
  joinsOk: 0,
  joinsFailed: 0,
  joinMs: [],
  rttMs: [],
  migrationIds: [],
  silenceMs: [],
  freezeMs: [],
  sent: 0,
  received: 0,
  updates: 0,
  lost: 0,
  duplicated: 0,
  reordered: 0,
  corrupted: 0,
  errors: {},
});

/** Bots write into `now`; {@link take} hands it over and starts a new one. */
export class Tally {
  now: TallyData = empty(0);
  readonly #seen = new Set<string>();

  error(cause: unknown): void {
    const code = codeOf(cause);
    this.now.errors[code] = (this.now.errors[code] ?? 0) + 1;
  }

  migration(id: string): void {
    if (this.#seen.has(id)) return;
    this.#seen.add(id);
    this.now.migrationIds.push(id);
  }

  take(): TallyData {
    const taken = this.now;
    this.now = empty(taken.playing);
    return taken;
  }
}

/** The stable code of an error, whoever threw it. */
export function codeOf(cause: unknown): string {
  if (typeof cause === "object" && cause !== null && "code" in cause) {
    const { code } = cause;
    if (typeof code === "string" || typeof code === "number") return String(code);
  }
  return cause instanceof Error ? cause.name : "UNKNOWN";
}
