/** Which hosts a player measures first and next, and how its place in latency space comes of it. */
import { DEFAULT_PARAMETERS, type HostView, PlacementWorld, seededRandom } from "@centroid/placement";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

const HOSTS = 20;
const PLAYERS = 160;
const STANDING = 6;
const LATER = 40;

const host = (hostId: string, state: HostView["state"] = "active"): HostView => hostView(hostId, { state });

/** Three clusters of hosts at three corners of the Earth, by their place alone: nobody has measured anything. */
function untrained(): PlacementWorld {
  const world = new PlacementWorld(DEFAULT_PARAMETERS);
  const clusters = { eu: [50, 8], us: [39, -77], as: [35, 139] } as const;
  for (const [name, [latitude, longitude]] of Object.entries(clusters))
    for (let i = 0; i < 4; i++)
      world.upsertHost({ hostId: `${name}${i}`, latitude: latitude + i, longitude }, host(`${name}${i}`));
  return world;
}

describe("a newcomer's first beacons", () => {
  it("stand for all hosts before anybody has measured: one of each cluster comes first", () => {
    const first = untrained().firstProbes();
    expect(first).toHaveLength(6);
    expect(new Set(first.slice(0, 3).map((hostId) => hostId.slice(0, 2)))).toEqual(
      new Set(["eu", "us", "as"]),
    );
  });

  it("are hosts that are up", () => {
    const world = untrained();
    const [down = ""] = world.firstProbes();
    world.changeHost(host(down, "lost"));
    const first = world.firstProbes();
    expect(first).not.toContain(down);
    expect(first).toHaveLength(6);
  });
});

describe("the next probes of a player", () => {
  const room = { roomId: "r", name: "duel", hostId: "eu0", playerIds: ["p"], carrier: "process" } as const;

  it("are the standing few, then at most four confirming ones from one place, then one a second that may be better", () => {
    const world = untrained();
    world.upsertPlayer({ playerId: "p" });
    const standing = world.firstProbes();
    expect(world.nextProbes("p", [room], 10, 0)).toEqual(standing);
    const rttOf = (hostId: string): number => ({ eu: 10, us: 90, as: 230 })[hostId.slice(0, 2)] ?? 0;
    for (const hostId of standing)
      for (let i = 0; i < 8; i++) world.addProbe({ playerId: "p", hostId, atMs: i, rttMs: rttOf(hostId) });
    const asked = new Set<string>();
    /** What is asked for at one moment: as many rounds as there are. */
    const ask = (atMs: number, rounds: number): void => {
      for (let round = 0; round < rounds; round++) {
        const next = world.nextProbes("p", [room], 10, atMs);
        // No more than before: a host that may be better takes the turn of a landmark.
        expect(next.length).toBeLessThanOrEqual(2);
        for (const hostId of next) {
          if (!standing.includes(hostId)) asked.add(hostId);
          for (let i = 0; i < 8; i++) world.addProbe({ playerId: "p", hostId, atMs, rttMs: rttOf(hostId) });
        }
      }
    };
    ask(10, 20);
    const atOnce = asked.size;
    expect(atOnce).toBeGreaterThan(1);
    expect(atOnce).toBeLessThanOrEqual(5);
    for (let atMs = 1_010; atMs < 20_000; atMs += 1_000) {
      const before = asked.size;
      ask(atMs, 3);
      expect(asked.size - before).toBeLessThanOrEqual(1);
    }
    expect(asked.size).toBeGreaterThanOrEqual(atOnce);
    // All that may still be better was asked for: nothing but landmarks is left.
    const near = [...asked].filter((hostId) => hostId.startsWith("eu"));
    expect(near.length + standing.filter((hostId) => hostId.startsWith("eu")).length).toBe(4);
  });

  it("include one of the standing few in its turn, and what was measured long ago", () => {
    const world = untrained();
    world.upsertPlayer({ playerId: "p" });
    const standing = world.firstProbes();
    standing.forEach((hostId, i) => {
      world.addProbe({ playerId: "p", hostId, atMs: 1_000 * i, rttMs: 20 });
    });
    const next = world.nextProbes("p", [], 10, 6_000);
    expect(next).toEqual([standing[0]]);
    expect(new Set(world.nextProbes("p", [], 10, 120_000))).toEqual(new Set(standing));
  });

  it("go on elsewhere when a host cannot be reached, to which it comes back after a minute", () => {
    const world = untrained();
    world.upsertPlayer({ playerId: "p" });
    const [blocked = ""] = world.firstProbes();
    const asked = new Map<string, number>();
    const round = (atMs: number): string[] => {
      const next = world.nextProbes("p", [{ ...room, hostId: "as1" }], 10, atMs);
      for (const hostId of next) {
        asked.set(hostId, (asked.get(hostId) ?? 0) + 1);
        for (let i = 0; i < 3; i++)
          world.addProbe({
            playerId: "p",
            hostId,
            atMs,
            ...(hostId === blocked ? { lost: true } : { rttMs: 80 }),
          });
      }
      return next;
    };
    for (let atMs = 0; atMs < 50_000; atMs += 1_000) round(atMs);
    expect(asked.get(blocked)).toBe(2);
    // Not only the landmarks, among which it is.
    expect(asked.size).toBeGreaterThan(6);
    expect(round(59_000)).not.toContain(blocked);
    expect(round(62_000)).toContain(blocked);
  });

  /** Confirming probes of each player, one after the other, in a network with these round trips. */
  function asked(rttMs: (player: number, host: number) => number): number[] {
    const world = new PlacementWorld(DEFAULT_PARAMETERS);
    const hostIds = Array.from({ length: HOSTS }, (_, at) => `h${at}`);
    for (const [at, hostId] of hostIds.entries())
      world.upsertHost({ hostId, latitude: 40 + (at % 5), longitude: 2 * at }, host(hostId));
    return Array.from({ length: PLAYERS }, (_, player) => {
      const playerId = `p${player}`;
      world.upsertPlayer({ playerId });
      const measured = new Set<string>();
      const running = { ...room, hostId: "h0", playerIds: [playerId] };
      for (;;) {
        const next = world
          .nextProbes(playerId, [running], HOSTS, 0)
          .filter((hostId) => !measured.has(hostId));
        if (next.length === 0) return Math.max(0, measured.size - STANDING);
        for (const hostId of next) {
          measured.add(hostId);
          const ms = rttMs(player, hostIds.indexOf(hostId));
          for (let i = 0; i < 3; i++) world.addProbe({ playerId, hostId, atMs: 0, rttMs: ms });
        }
      }
    });
  }

  it("are more where estimates turn out to be far worse than they say", () => {
    const draw = seededRandom(7).next;
    const at = (count: number) => Array.from({ length: count }, () => [draw() * 100, draw() * 100] as const);
    const [players, hosts] = [at(PLAYERS), at(HOSTS)];
    const plane = asked((player, of) => {
      const [[x = 0, y = 0] = [], [hx = 0, hy = 0] = []] = [players[player], hosts[of]];
      return 10 + Math.hypot(x - hx, y - hy);
    });
    const any = Array.from({ length: PLAYERS * HOSTS }, () => 10 * 50 ** draw());
    const none = asked((player, of) => any[player * HOSTS + of] ?? 0);
    // When hosts have found their places.
    const later = (counts: number[]): number =>
      counts.slice(-LATER).reduce((sum, count) => sum + count, 0) / LATER;
    // Four, and one in the turn of a landmark.
    expect(later(plane)).toBeLessThanOrEqual(5);
    expect(later(none)).toBeGreaterThan(8);
  });
});
