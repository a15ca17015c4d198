/** What a newcomer's room is chosen by while it has measured nothing itself, and who has to measure first. */
import type { SeatReservation } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { neighbourhoodOf, StandIns } from "../../server/broker/dist/probes/stand-ins.js";
import { hostOf, until, World } from "./support/world.js";

const hints = (more: object = {}) => ({ "~centroid": { protocol: 1, network: "dsl", ...more } });
const rtts = (byHost: Record<string, number>) =>
  Object.entries(byHost).map(([hostId, rttMs]) => ({ hostId, rttsMs: [rttMs, rttMs, rttMs] }));
const NEAR_A = rtts({ a: 10, b: 90 });
const NEAR_B = rtts({ a: 90, b: 10 });

const leave = async (world: World, seat: SeatReservation): Promise<void> => {
  world.agent(await hostOf(world, seat.roomId)).leave(seat.roomId, seat.sessionId);
  await until(() =>
    world.broker.events.snapshot().players.every(({ sessionId }) => sessionId !== seat.sessionId),
  );
};

describe("a newcomer's new room", () => {
  it("is placed by what another player measured at the same address, also after that one has left", async () => {
    await using world = await World.start(["a", "b"]);
    const first = await world.join("create", "arena", hints({ probes: NEAR_B }));
    expect(first.centroid.host.hostId).toBe("b");
    await leave(world, first);
    expect((await world.join("create", "arena", hints())).centroid.host.hostId).toBe("b");
    // Who was measured there last stands for the others.
    await world.join("create", "arena", hints({ probes: NEAR_A }));
    expect((await world.join("create", "arena", hints())).centroid.host.hostId).toBe("a");
  });

  it("is placed by its own measurements and place rather than by those of others", async () => {
    await using world = await World.start([]);
    await world.host("a", { longitude: 0 });
    await world.host("b", { longitude: 90 });
    await world.join("create", "arena", hints({ probes: NEAR_B }));
    const own = await world.join("create", "arena", hints({ probes: NEAR_A }));
    expect(own.centroid.host.hostId).toBe("a");
    await world.join("create", "arena", hints({ probes: NEAR_B }));
    const said = await world.join("create", "arena", hints({ location: { latitude: 0, longitude: 1 } }));
    expect(said.centroid.host.hostId).toBe("a");
  });

  it("comes at once where nothing is known, and its player learns what to measure", async () => {
    await using world = await World.start(["a", "b", "c"]);
    const { centroid } = await world.join("create", "arena", hints({ canMeasure: true }));
    const [own, ...others] = centroid.beacons?.map(({ hostId }) => hostId) ?? [];
    expect(own).toBe(centroid.host.hostId);
    expect([own, ...others].sort()).toEqual(["a", "b", "c"]);
    const known = await world.join("create", "arena", hints({ probes: NEAR_A }));
    expect(known.centroid.beacons?.map(({ hostId }) => hostId)).toEqual([known.centroid.host.hostId]);
    // A stock client has no use for them.
    expect((await world.join("create", "arena")).centroid.beacons).toBeUndefined();
  });
});

describe("a newcomer who could go to rooms in several places", () => {
  const twoRooms = async (world: World): Promise<void> => {
    await world.join("create", "arena", hints({ network: "lan", probes: NEAR_A }));
    await world.join("create", "arena", hints({ network: "lte", probes: NEAR_B }));
  };

  it.each(["join", "joinOrCreate"])(
    "is told to measure first by %s if it can, and nobody else is",
    async (method) => {
      await using world = await World.start(["a", "b"]);
      await twoRooms(world);
      await expect(world.match(method, "arena", hints({ canMeasure: true }))).rejects.toMatchObject({
        status: 428,
        body: { code: 428, reason: "MEASURE_FIRST" },
      });
      const measured = await world.match(method, "arena", hints({ canMeasure: true, probes: NEAR_B }));
      expect(measured.centroid.host.hostId).toBe("b");
      const neighbour = await world.match(method, "arena", hints({ canMeasure: true, network: "lan" }));
      expect(neighbour.centroid.host.hostId).toBe("a");
      await world.match(method, "arena", hints());
      await world.match(method, "arena");
    },
  );

  it("need not measure where its room is settled", async () => {
    await using world = await World.start(["a", "b"]);
    const first = await world.join("create", "arena", hints({ network: "lan", probes: NEAR_A }));
    await world.join("create", "arena", hints({ network: "lan", probes: NEAR_A }));
    const can = hints({ canMeasure: true });
    expect((await world.match("joinOrCreate", "arena", can)).centroid.host.hostId).toBe("a");
    await world.join("create", "arena", hints({ network: "lte", probes: NEAR_B }));
    expect((await world.match("joinById", first.roomId, can)).roomId).toBe(first.roomId);
    await world.match("create", "arena", can);
  });
});

describe("places in the network", () => {
  it.each([
    ["203.0.113.7", "203.0.113.250", true],
    ["203.0.113.7", "203.0.114.7", false],
    ["::ffff:203.0.113.7", "203.0.113.9", true],
    ["2001:db8:1:2::1", "2001:db8:1:3::1", true],
    ["2001:db8:1:2::1", "2001:db8:2:2::1", false],
  ])("%s and %s are one: %s", (one, other, same) => {
    expect(neighbourhoodOf(one, undefined) === neighbourhoodOf(other, undefined)).toBe(same);
    expect(neighbourhoodOf(one, "dsl")).not.toBe(neighbourhoodOf(one, "lte"));
  });

  it.each([
    "127.0.0.1",
    "::1",
    "10.1.2.3",
    "192.168.0.9",
    "172.20.1.1",
    "fd00::1",
    "fe80::1%eth0",
    undefined,
  ])("%s tells nothing of where somebody is, unless the network has a name", (address) => {
    expect(neighbourhoodOf(address, undefined)).toBeUndefined();
    expect(neighbourhoodOf(address, "dsl")).toBeDefined();
  });

  it("are forgotten beyond a number, the one seen longest ago first", () => {
    const standIns = new StandIns();
    const gone = Array.from({ length: 5_000 }, (_, at) => standIns.put(`place${at}`, `player${at}`));
    const [first] = gone.filter((playerId) => playerId !== undefined);
    expect(first).toBe("player0");
    expect([standIns.at("place0"), standIns.has("player0")]).toEqual([undefined, false]);
    expect([standIns.at("place4999"), standIns.has("player4999")]).toEqual(["player4999", true]);
  });

  it("change with a player that moves on: nobody is left to stand for its old one", () => {
    const standIns = new StandIns();
    standIns.put("home", "ada");
    expect(standIns.put("train", "ada")).toBeUndefined();
    expect([standIns.at("home"), standIns.at("train")]).toEqual([undefined, "ada"]);
    expect(standIns.put("train", "bob")).toBe("ada");
    expect(standIns.has("ada")).toBe(false);
  });
});
