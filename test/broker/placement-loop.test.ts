/** The placement loop in a broker: when rooms move by themselves, and when they stay. */
import type { Decision } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { hostOf, record, until, World } from "./support/world.js";

/** A policy that moves as soon as there is any regret, so that tests need not wait for it to add up. */
const EAGER = { autoMove: true, placement: { minDwellMs: 0, regretFactor: 0.001, capsMs: [] } };

const probes = (rtts: Record<string, number>) =>
  Object.entries(rtts).map(([hostId, rttMs]) => ({ hostId, rttsMs: new Array(8).fill(rttMs) }));

async function joined(world: World, rtts: Record<string, number>) {
  const seat = await world.join("joinOrCreate", "arena", {
    "~centroid": { protocol: 1, probes: probes(rtts) },
  });
  const { playerId, playerToken } = seat.centroid;
  const report = (now: Record<string, number>) =>
    world.call("POST", "/centroid/v1/probes", { playerId, playerToken, probes: probes(now) }, "");
  return { seat, report };
}

describe("a room", () => {
  it("follows its player, and can say why", async () => {
    await using world = await World.start(["a", "b"], EAGER);
    const { decisions, receipts } = record(world);
    const { seat, report } = await joined(world, { a: 10, b: 90 });
    expect(seat.centroid.host.hostId).toBe("a");
    for (let i = 0; receipts.length === 0 && i < 100; i++) {
      await report({ a: 90, b: 10 });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(receipts).toMatchObject([
      { outcome: "completed", fromHostId: "a", toHostId: "b", reason: "latency" },
    ]);
    expect(decisions[0]).toMatchObject({ verdict: "place", toHostId: "a" });
    const move = decisions.find(({ verdict }) => verdict === "move");
    expect(move).toMatchObject({ fromHostId: "a", toHostId: "b" });
    expect(move?.candidates.map(({ hostId, source }) => [hostId, source])).toEqual([
      ["b", "measured"],
      ["a", "measured"],
    ]);
    const why = await world.get<Decision[]>(`/api/v1/rooms/${seat.roomId}/decisions`);
    expect(why.map(({ verdict }) => verdict)).toContain("move");
  });

  it("stays where it is best, however often it is measured", async () => {
    await using world = await World.start(["a", "b"], EAGER);
    const { receipts } = record(world);
    const { seat, report } = await joined(world, { a: 10, b: 90 });
    for (let i = 0; i < 20; i++) await report({ a: 10, b: 90 });
    await until(
      async () =>
        (await world.get<Decision[]>(`/api/v1/rooms/${seat.roomId}/decisions`))[0]?.reason === "best",
    );
    expect(receipts).toEqual([]);
  });

  it("leaves a draining host, and only then", async () => {
    await using world = await World.start(["a", "b"], EAGER);
    const { receipts } = record(world);
    const { seat } = await joined(world, { a: 10, b: 90 });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => receipts.length === 1);
    expect(receipts).toMatchObject([{ reason: "drain", toHostId: "b", outcome: "completed" }]);
    expect(await hostOf(world, seat.roomId)).toBe("b");
  });

  it("that cannot move stays, and the next attempt is made later", async () => {
    await using world = await World.start(["a", "b"], EAGER);
    const { receipts } = record(world);
    const { seat } = await joined(world, { a: 10, b: 90 });
    world.agent("b").scripts.set("migrateIn", () => Promise.reject(new Error("no memory")));
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => receipts.length === 1);
    expect(await hostOf(world, seat.roomId)).toBe("a");
    await until(() => receipts.length === 2, 45_000);
    expect((receipts[1]?.startedAtMs ?? 0) - (receipts[0]?.startedAtMs ?? 0)).toBeGreaterThan(4_900);
    world.agent("b").scripts.clear();
    await until(() => receipts.length === 3, 45_000);
    expect(receipts.map(({ outcome }) => outcome)).toEqual(["rolled-back", "rolled-back", "completed"]);
  });

  it("is not touched when only showing decisions was asked for", async () => {
    await using world = await World.start(["a", "b"], { ...EAGER, autoMove: false });
    const { decisions, receipts } = record(world);
    await joined(world, { a: 10, b: 90 });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    await until(() => decisions.some(({ verdict }) => verdict === "move"));
    expect(receipts).toEqual([]);
  });
});

it("an event about one room costs nothing for the others", async () => {
  await using world = await World.start(["a", "b"], EAGER);
  const first = await joined(world, { a: 10, b: 90 });
  for (let i = 0; i < 100; i++) await world.match("create", "arena");
  const evaluations = async () => {
    const text = await (await world.call("GET", "/metrics")).text();
    return Number(/centroid_placement_evaluations_total (\d+)/.exec(text)?.[1]);
  };
  let before = -1;
  await until(async () => {
    const now = await evaluations();
    const quiet = now === before;
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 300));
    return quiet;
  });
  await first.report({ a: 10, b: 90 });
  await until(async () => (await evaluations()) > before);
  expect((await evaluations()) - before).toBeLessThanOrEqual(3);
}, 60_000);
