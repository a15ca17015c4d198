/** A player changes networks: its room waits until it is known where the player is, then moves once. */
import {
  DEFAULT_PARAMETERS,
  PlacementWorld,
  type RecordedLine,
  replay,
  type TraceLine,
  type Verdict,
} from "@centroid/placement";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

/** On a line, ms apart; the player's room is on the first. */
const HOSTS = { home: 0, a: 60, b: 120, between: 180, c: 240, best: 300 } as const;
type HostName = keyof typeof HOSTS;
const NAMES = Object.keys(HOSTS) as HostName[];

class Trip {
  readonly lines: RecordedLine[] = [];
  readonly moves: { toHostId: string; atMs: number }[] = [];
  atMs = 0;
  hostId: string | undefined = "home";
  readonly world = new PlacementWorld(DEFAULT_PARAMETERS, {
    record: (line) => this.lines.push(line),
    now: () => this.atMs,
  });

  constructor() {
    for (const hostId of NAMES)
      this.world.upsertHost({ hostId, latitude: 0, longitude: 0 }, hostView(hostId));
    this.world.upsertPlayer({ playerId: "p" });
    for (const name of NAMES) this.measure(name, 0);
    this.evaluate();
    this.atMs = 20_000;
  }

  /** Three pings from a place on the line. */
  measure(name: HostName, place: number): void {
    for (let ping = 0; ping < 3; ping++) {
      const rttMs = 5 + Math.abs(HOSTS[name] - place);
      this.world.addProbe({ playerId: "p", hostId: name, atMs: this.atMs, rttMs });
    }
  }

  evaluate(): Verdict {
    const room = { roomId: "r", name: "arena", carrier: "process", hostId: this.hostId, playerIds: ["p"] };
    const verdict = this.world.evaluate(room, this.atMs);
    if (verdict.verdict === "move" && verdict.toHostId !== undefined) {
      this.hostId = verdict.toHostId;
      this.moves.push({ toHostId: verdict.toHostId, atMs: this.atMs });
    }
    return verdict;
  }

  /** Evaluates twice a second. */
  pass(forMs: number): Verdict[] {
    return Array.from({ length: forMs / 500 }, () => {
      this.atMs += 500;
      return this.evaluate();
    });
  }

  expectReplay(): void {
    const read = this.lines.map((line) => JSON.parse(JSON.stringify(line)) as TraceLine);
    expect(replay(read).difference).toBeUndefined();
  }
}

/** The player is next to `best` now; its room's host and one landmark have told so. */
function switched(): Trip {
  const trip = new Trip();
  trip.measure("home", 300);
  trip.measure("between", 300);
  return trip;
}

describe("a room whose player changed networks", () => {
  it("waits for the standing few, then moves once to the best host", () => {
    const trip = switched();
    const waiting = trip.pass(4_000);
    expect(waiting.map(({ verdict, reason }) => `${verdict} ${reason}`)).toContain("stay remeasuring");
    expect(trip.moves).toEqual([]);
    for (const name of ["a", "b", "c", "best"] as const) trip.measure(name, 300);
    trip.pass(4_000);
    expect(trip.moves.map(({ toHostId }) => toHostId)).toEqual(["best"]);
    trip.expectReplay();
  });

  it("says why it waits", () => {
    const trip = switched();
    const room = { roomId: "r", name: "arena", carrier: "process", hostId: "home", playerIds: ["p"] };
    const verdict = trip.pass(1_000).at(-1);
    if (verdict === undefined) throw new Error("not evaluated");
    expect(trip.world.explain(verdict, room).text).toMatch(/waiting for a player whose network changed/);
  });

  it("does not wait for ever", () => {
    const trip = switched();
    trip.pass(9_500);
    expect(trip.moves).toEqual([]);
    trip.pass(2_500);
    expect(trip.moves).toHaveLength(1);
    trip.expectReplay();
  });

  it("is not held by a player who changes networks all the time", () => {
    const trip = switched();
    for (let second = 0; second < 14 && trip.moves.length === 0; second++) {
      trip.pass(1_000);
      trip.measure("home", second % 2 === 0 ? 220 : 300);
      trip.measure("between", second % 2 === 0 ? 220 : 300);
    }
    expect(trip.moves).toHaveLength(1);
    expect(trip.moves[0]?.atMs).toBeGreaterThan(29_000);
  });

  it("does not wait for a player who never measured more than its own host", () => {
    const trip = new Trip();
    trip.world.upsertPlayer({ playerId: "q" });
    for (const place of [0, 150])
      for (let ping = 0; ping < 4; ping++)
        trip.world.addProbe({ playerId: "q", hostId: "home", atMs: trip.atMs, rttMs: 5 + place });
    expect(trip.world.map.isRemeasuring("q", trip.atMs)).toBe(false);
  });
});
