/** Makes the decisions of a trace again, from its inputs alone, and compares them with those recorded. */
import type { ExplainedVerdict, Verdict } from "../decide/types.js";
import type { FleetAnswer } from "../fleet/plan-moves.js";
import { PlacementWorld } from "../placement-world.js";
import { RoomShadows } from "../trace/room-shadows.js";
import type { RoomFacts, TraceLine } from "../trace/trace.js";

/** The first value that is not what was recorded. */
export interface ReplayDifference {
  /** Index of the line in the trace, from 1. */
  line: number;
  /** Empty for a plan of several. */
  roomId: string;
  atMs: number;
  /** Where in the decision, such as `contenders.0.scoreMs`. */
  path: string;
  recorded: unknown;
  replayed: unknown;
}

/** A trace that cannot be replayed, with the line at fault. */
export class TraceError extends Error {
  readonly code = "TRACE_INVALID";
}

/** One pass over a trace, line by line, so that a long one need not be in memory. */
export class Replay {
  #world: PlacementWorld | undefined;
  readonly #rooms = new RoomShadows();
  #line = 0;
  /** Made so far. */
  decisions = 0;
  difference: ReplayDifference | undefined;

  /**
   * @returns the decision if the line asked for one
   * @throws TraceError if the line cannot follow those before
   */
  take(line: TraceLine): ExplainedVerdict | Verdict | FleetAnswer | undefined {
    this.#line++;
    if (line.type === "start") {
      if (this.#world !== undefined) throw this.#error("a second start; give each run a trace of its own");
      this.#world = new PlacementWorld(line.parameters);
      return undefined;
    }
    const world = this.#world;
    if (world === undefined) throw this.#error("the first line must be of type start");
    switch (line.type) {
      case "host":
        world.upsertHost(line.place, line.host);
        return undefined;
      case "host-changed":
        if (world.hosts.get(line.host.hostId) === undefined)
          throw this.#error(`no host ${line.host.hostId} before this`);
        world.changeHost(line.host);
        return undefined;
      case "host-removed":
        world.removeHost(line.hostId);
        return undefined;
      case "player":
        world.upsertPlayer(line.place);
        return undefined;
      case "player-removed":
        world.removePlayer(line.playerId);
        return undefined;
      case "probe":
        world.addProbe(line.probe);
        return undefined;
      case "room":
      case "joined":
      case "left":
      case "moved":
      case "work":
      case "activity":
      case "weights":
        this.#rooms.apply(line);
        return undefined;
      case "tie":
        world.tie(...line.roomIds, line.players);
        return undefined;
      case "seen":
        world.see(this.#room(line.roomId), line.atMs);
        return undefined;
      case "receipt":
        world.migrated(line.roomId, line.migrated);
        return undefined;
      case "ended":
        world.forgetRoom(line.roomId);
        this.#rooms.forget(line.roomId);
        return undefined;
      case "placed":
        return this.#compare(line, world.place(this.#room(line.roomId), line.atMs));
      case "evaluated":
        return this.#compare(line, world.evaluate(this.#room(line.roomId), line.atMs));
      case "planned": {
        const { pressed, others, budget } = line.question;
        const rooms = others.map((roomId) => this.#room(roomId));
        const on = (hostId: string): RoomFacts[] => rooms.filter((room) => room.hostId === hostId);
        const first = pressed?.map((roomId) => this.#room(roomId));
        return this.#compare({ roomId: "", ...line }, world.plan(first, on, budget, line.atMs));
      }
      default: {
        const never: never = line;
        throw this.#error(`unknown line ${JSON.stringify(never)}`);
      }
    }
  }

  #room(roomId: string): RoomFacts {
    const room = this.#rooms.get(roomId);
    if (room === undefined) throw this.#error(`no room ${roomId} before this`);
    return room;
  }

  #compare<D extends ExplainedVerdict | Verdict | FleetAnswer>(
    { roomId, atMs, decision }: { roomId: string; atMs: number; decision: unknown },
    replayed: D,
  ): D {
    this.decisions++;
    const found = firstDifference(decision, replayed);
    if (found !== undefined) this.difference ??= { line: this.#line, roomId, atMs, ...found };
    return replayed;
  }

  #error(message: string): TraceError {
    return new TraceError(`line ${this.#line}: ${message}`);
  }
}

/**
 * The decisions of a whole trace, made again, and the first that differs from its record.
 * @throws TraceError
 */
export function replay(trace: Iterable<TraceLine>): {
  decisions: (ExplainedVerdict | Verdict | FleetAnswer)[];
  difference: ReplayDifference | undefined;
} {
  const pass = new Replay();
  const decisions: (ExplainedVerdict | Verdict | FleetAnswer)[] = [];
  for (const line of trace) {
    const decision = pass.take(line);
    if (decision !== undefined) decisions.push(decision);
  }
  return { decisions, difference: pass.difference };
}

/** Compares what both would be read back as from a file, without writing either: most of a trace is decisions. */
function firstDifference(
  recorded: unknown,
  replayed: unknown,
): Pick<ReplayDifference, "path" | "recorded" | "replayed"> | undefined {
  if (!isObject(recorded) || !isObject(replayed)) {
    const before = asRead(recorded);
    const now = asRead(replayed);
    return Object.is(before, now) ? undefined : { path: "", recorded: before, replayed: now };
  }
  for (const key in recorded) {
    const found = firstDifference(recorded[key], replayed[key]);
    if (found !== undefined) return within(key, found);
  }
  for (const key in replayed) {
    const found = key in recorded ? undefined : firstDifference(undefined, replayed[key]);
    if (found !== undefined) return within(key, found);
  }
  return undefined;
}

const within = <D extends { path: string }>(key: string, found: D): D => ({
  ...found,
  path: found.path === "" ? key : `${key}.${found.path}`,
});

/** JSON has no word for numbers that are not finite, nor for minus zero. */
function asRead(value: unknown): unknown {
  if (typeof value !== "number") return value;
  if (value === 0) return 0;
  return Number.isFinite(value) ? value : null;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null;
