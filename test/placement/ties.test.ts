/** Rooms that talk with each other attract each other, as far as their players allow. */

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  DEFAULT_PARAMETERS,
  HostTable,
  LatencyMap,
  PlacementWorld,
  type RecordedLine,
  type RoomTie,
  type RoomView,
  readRttMatrix,
  replay,
  seededRandom,
  simulatePortals,
  type TraceLine,
} from "@centroid/placement";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

/** Hosts on a line at so many ms, players between them. */
function line(hosts: Record<string, number>, players: Record<string, number>) {
  const map = new LatencyMap();
  for (const hostId of Object.keys(hosts)) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
  // Those who played before place the hosts.
  for (let at = -20; at <= 220; at += 10) {
    const playerId = `before ${at}`;
    map.upsertPlayer({ playerId });
    for (const [hostId, where] of Object.entries(hosts))
      map.addProbe({ playerId, hostId, atMs: 0, rttMs: 2 + Math.abs(where - at) });
  }
  map.refine(200);
  for (const [playerId, at] of Object.entries(players)) {
    map.upsertPlayer({ playerId });
    for (const [hostId, where] of Object.entries(hosts))
      for (let i = 0; i < 4; i++)
        map.addProbe({ playerId, hostId, atMs: i, rttMs: 2 + Math.abs(where - at) });
  }
  return map;
}
const room = (roomId: string, hostId: string, playerIds: string[], ties: RoomTie[] = []): RoomView => ({
  roomId,
  hostId,
  playerIds,
  carrier: "process",
  ...(ties.length > 0 && { ties }),
});
const tie = (other: RoomView, players: number, others: RoomTie["others"] = []): RoomTie => ({
  room: other,
  players,
  others,
});
const bestOf = (hosts: HostTable, of: RoomView): string | undefined =>
  hosts.search(of, { ...DEFAULT_PARAMETERS, capsMs: [] }, 1, [of.hostId ?? ""]).best[0]?.hostId;

describe("a room", () => {
  const hosts = { a: 0, b: 60, c: 140 };
  const map = line(hosts, { p: 25, q: 25, r: 70, s: 70 });
  const table = new HostTable(
    map,
    Object.keys(hosts).map((id) => hostView(id)),
  );

  it("goes to where the room is that it talks with, if that costs its players less than the way", () => {
    const other = room("o", "b", ["r", "s"]);
    expect(bestOf(table, room("m", "a", ["p", "q"]))).toBe("a");
    expect(bestOf(table, room("m", "a", ["p", "q"], [tie(other, 0.05)]))).toBe("a");
    expect(bestOf(table, room("m", "a", ["p", "q"], [tie(other, 2)]))).toBe("b");
  });

  it("goes with the other where both gain, though alone each would lose the other", () => {
    const other = room("o", "c", ["r", "s"]);
    const here = room("m", "c", ["p", "q"], [tie(other, 20)]);
    expect(bestOf(table, here)).not.toBe("c");
    // Whoever holds the other there holds this one.
    const held = [tie(other, 20, [{ hostId: "c", players: 20 }])];
    expect(bestOf(table, room("m", "c", ["p", "q"], held))).toBe("c");
    // And where there is no slot for two it is no good to go alone.
    const full = new HostTable(map, [
      hostView("c"),
      ...["a", "b"].map((id) => hostView(id, { capacityRooms: 1 })),
    ]);
    expect(bestOf(full, here)).toBe("c");
  });

  it("is found the same by search and by looking at every host", () => {
    const random = seededRandom(7);
    for (let world = 0; world < 6; world++) {
      const at: Record<string, number> = {};
      for (let h = 0; h < 40; h++) at[`h${h}`] = random.next() * 200;
      const players: Record<string, number> = {};
      for (let p = 0; p < 8; p++) players[`p${p}`] = random.next() * 200;
      const drawn = new HostTable(
        line(at, players),
        Object.keys(at).map((id) => hostView(id)),
      );
      const ids = Object.keys(players);
      const hostOf = () => `h${random.below(40)}`;
      const others = [{ hostId: hostOf(), players: 3 * random.next() }];
      const ties = [tie(room("o", hostOf(), ids.slice(4)), 8 * random.next(), others)];
      const of = room("m", hostOf(), ids.slice(0, 4), ties);
      const found = drawn.search(of, DEFAULT_PARAMETERS, 3, []).best;
      expect(found).toEqual(drawn.all(of, DEFAULT_PARAMETERS).slice(0, 3));
    }
  });
});

it("replays to the last bit, says what the way to other rooms costs, and forgets it", () => {
  const lines: RecordedLine[] = [];
  let atMs = 0;
  const world = new PlacementWorld(
    { ...DEFAULT_PARAMETERS, capsMs: [], minDwellMs: 0 },
    { record: (line) => lines.push(line), now: () => atMs },
  );
  const hosts = { a: 0, b: 60, c: 140 };
  for (const hostId of Object.keys(hosts))
    world.upsertHost({ hostId, latitude: 0, longitude: 0 }, hostView(hostId));
  const players = Object.fromEntries([..."pqrstuvw"].map((id, i) => [id, i < 4 ? 25 : 70]));
  for (const [playerId, at] of Object.entries(players)) {
    world.upsertPlayer({ playerId });
    for (const [hostId, where] of Object.entries(hosts))
      for (let i = 0; i < 8; i++) world.addProbe({ playerId, hostId, atMs, rttMs: 2 + Math.abs(where - at) });
  }
  const at: Record<string, string> = { m: "a", o: "b" };
  const facts = (roomId: string) => ({
    roomId,
    name: "zone",
    carrier: "process",
    hostId: at[roomId],
    playerIds: [...(roomId === "m" ? "pqrs" : "tuvw")],
  });
  const look = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      atMs += 1_000;
      for (const roomId of ["m", "o"]) {
        const { verdict, toHostId } = world.evaluate(facts(roomId), atMs);
        if (verdict === "move" && toHostId !== undefined) at[roomId] = toHostId;
      }
    }
  };
  look(3);
  expect(at).toEqual({ m: "a", o: "b" });
  world.tie("m", "o", 6);
  const { text, candidates } = world.whatIf(facts("m"), atMs, { regretFactor: 0, noiseMargin: 0 });
  expect(text).toMatch(/of it the way to rooms it talks with/);
  expect(candidates.find(({ hostId }) => hostId === "c")?.tieMs).toBeGreaterThan(0);
  look(20);
  expect(new Set(Object.values(at)).size).toBe(1);
  world.see({ ...facts("o"), hostId: "c" }, atMs);
  look(1);
  world.forgetRoom("o");
  expect(world.evaluate(facts("m"), atMs).contenders.every(({ tieMs }) => tieMs === undefined)).toBe(true);
  const read = lines.map((one) => JSON.parse(JSON.stringify(one)) as TraceLine);
  expect(replay(read).difference).toBeUndefined();
  expect(replay(read.filter(({ type }) => type !== "tie")).difference).toBeDefined();
});

it("makes worlds whose players are all near portals 1.3 times better than rooms placed alone", async () => {
  const file = join(import.meta.dirname, "../../data/planetlab-rtt-3.csv");
  const slice = readRttMatrix(await readFile(file, "utf8"));
  const results = simulatePortals([slice], { seed: 77, worlds: 1, steps: 30, talk: 1 });
  const total = (policy: string): number =>
    results.find((one) => one.policy === policy)?.totalMs ?? Number.NaN;
  expect(total("alone") / total("together")).toBeGreaterThan(1.3);
});
