/** What noise may do to estimates, and what it may not. */
import { HostTable, LatencyMap, placeRoom } from "@centroid/placement";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

function mapOf(...hostIds: string[]): LatencyMap {
  const map = new LatencyMap();
  for (const hostId of hostIds) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
  map.upsertPlayer({ playerId: "p" });
  return map;
}
const measure = (map: LatencyMap, hostId: string, rttsMs: readonly number[]): boolean[] =>
  rttsMs.map((rttMs, atMs) => {
    const verdict = map.addProbe({ playerId: "p", hostId, atMs, rttMs });
    return verdict.accepted && verdict.pathChanged;
  });

/** A busy machine's loopback: most answers at once, some after its scheduler came round. */
const beside = Array.from({ length: 32 }, (_, i) => (i % 8 === 0 ? 4 : 1));

describe("a player right beside a host, whose pings wobble by more than they last", () => {
  const scores = (map: LatencyMap, hostIds: string[]) => {
    const room = { roomId: "r", playerIds: ["p"], carrier: "process" };
    const { candidates } = placeRoom(
      room,
      new HostTable(
        map,
        hostIds.map((id) => hostView(id)),
      ),
      map,
      0,
      { doubt: 0 },
    );
    return new Map(candidates.map(({ hostId, scoreMs }) => [hostId, scoreMs]));
  };

  it("sees a host that it has hardly measured as far as that is", () => {
    const map = mapOf("here", "there");
    measure(map, "here", beside);
    measure(map, "there", [100, 101, 99]);
    expect(scores(map, ["here", "there"]).get("there")).toBeLessThan(105);
    expect(map.estimate("p", "there").p95Ms).toBeLessThan(120);
  });

  it("sees a host that it has not measured as far as its coordinate is", () => {
    const map = mapOf("here", "there", "other");
    measure(map, "here", beside);
    measure(map, "there", [100, 101, 99]);
    const { source, p50Ms, p95Ms } = map.estimate("p", "other");
    expect(source).toBe("coordinate");
    expect(p95Ms).toBeLessThan(p50Ms * 1.5 + 5);
    expect(scores(map, ["here", "there", "other"]).get("other")).toBeLessThan(p50Ms * 1.1 + 2);
  });

  it("knows the tail of a path that it has measured well, whatever the others' are", () => {
    const map = mapOf("here", "there");
    measure(map, "here", beside);
    measure(
      map,
      "there",
      Array.from({ length: 32 }, (_, i) => (i % 8 === 0 ? 180 : 100)),
    );
    expect(map.estimate("p", "there").p95Ms).toBeCloseTo(180, 0);
  });
});

describe("a change of path", () => {
  const rtt = fc.integer({ min: 5, max: 300 });

  it("shows within three probes of three pings, however wild one answer of the first was", () => {
    fc.assert(
      fc.property(
        rtt,
        fc.constantFrom(0.3, 3),
        fc.integer({ min: 2, max: 5 }),
        fc.nat({ max: 5 }),
        (before, factor, n, at) => {
          const map = mapOf("a");
          const first = new Array<number>(n).fill(before);
          first.splice(Math.min(at, n), 0, 9 * before + 200);
          expect(measure(map, "a", first)).not.toContain(true);
          const after = before * factor + (factor > 1 ? 20 : 0);
          // A path of some ms more or less is the same path.
          fc.pre(Math.abs(after - before) > 10);
          expect(measure(map, "a", new Array(9).fill(after))).toContain(true);
          expect(map.estimate("p", "a").p50Ms).toBeCloseTo(after, 6);
        },
      ),
    );
  });

  it("shows within three pings where the path was quiet before", () => {
    fc.assert(
      fc.property(rtt, rtt, fc.integer({ min: 3, max: 40 }), (before, after, n) => {
        fc.pre(Math.abs(after - before) > Math.max(5, before / 5));
        const map = mapOf("a");
        measure(map, "a", new Array(n).fill(before));
        expect(measure(map, "a", new Array(3).fill(after))).toEqual([false, false, true]);
      }),
    );
  });

  it.each([
    ["of a tenth, normal", 0.1, 0],
    ["of a twentieth, and every tenth answer late by as much as it lasts", 0.05, 0.1],
    ["of a twentieth, and every fifth answer late by as much as it lasts", 0.05, 0.2],
  ])("is not seen in noise %s", (_what, deviation, late) => {
    const random = lehmer(17);
    const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    let changes = 0;
    const PLAYERS = 50;
    const PINGS = 400;
    for (let player = 0; player < PLAYERS; player++) {
      const map = mapOf("a");
      const rttsMs = Array.from(
        { length: PINGS },
        () => 60 * (1 + deviation * gauss()) + (random() < late ? 60 : 0),
      );
      changes += measure(map, "a", rttsMs).filter(Boolean).length;
    }
    // Of 20,000 pings. Before outliers are known to be usual, three in a row are a change.
    expect(changes).toBeLessThanOrEqual(late === 0 ? 2 : 30);
  });
});

/** Lehmer 1951, modulus 2^31 - 1. */
function lehmer(seed: number): () => number {
  let state = seed * 7_919 + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe("hosts that all players find farther away than they did", () => {
  it("move in estimates once a turn of the players, and get where they are", () => {
    const PLAYERS = 300;
    const HOSTS = 6;
    const map = new LatencyMap();
    const hostIds = Array.from({ length: HOSTS }, (_, h) => `h${h}`);
    for (const hostId of hostIds) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
    const rttOf = (p: number, h: number): number =>
      100 + 60 * Math.hypot(Math.cos(p) - Math.cos(h), Math.sin(p) - Math.sin(h));
    const ping = (p: number, h: number, fartherMs: number): void => {
      map.addProbe({ playerId: `p${p}`, hostId: `h${h}`, atMs: 0, rttMs: rttOf(p, h) + fartherMs });
    };
    for (let p = 0; p < PLAYERS; p++) {
      map.upsertPlayer({ playerId: `p${p}` });
      for (let h = 0; h < HOSTS; h++) for (let i = 0; i < 4; i++) ping(p, h, 0);
    }
    map.refine(40);
    // An estimate of nobody who has measured it.
    map.upsertPlayer({ playerId: "other" });
    for (let h = 1; h < HOSTS; h++)
      map.addProbe({ playerId: "other", hostId: `h${h}`, atMs: 0, rttMs: rttOf(7, h) });
    const before = map.estimate("other", "h0").p50Ms;
    const moments: number[] = [];
    for (let n = 0; n < 60 * PLAYERS; n++) {
      const { count } = map.moves;
      ping(n % PLAYERS, 0, 11);
      if (map.moves.count > count) moments.push(n);
    }
    expect(moments.length).toBeGreaterThan(1);
    moments.forEach((n, i) => {
      if (i > 0) expect(n - (moments[i - 1] ?? 0)).toBeGreaterThanOrEqual(PLAYERS);
    });
    expect(map.estimate("other", "h0").p50Ms - before).toBeGreaterThan(5);
  });
});
