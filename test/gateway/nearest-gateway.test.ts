/**
 * Players measure gateways, gateways measure hosts, and the broker adds the two: a player goes over to a gateway that is
 * clearly nearer without losing anything, and rooms are placed for the shortest ways of their players.
 */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { seededRandom } from "@centroid/placement";
import type { Decision } from "@centroid/protocol";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { mayReach } from "../../server/broker/dist/gateway/direct-way.js";
import {
  bestWay,
  byShortestWays,
  type ToGateways,
  toGatewaysOf,
} from "../../server/broker/dist/probes/player-ways.js";
import { until } from "../broker/support/world.js";
import { SdkPlayer } from "./sdk-player.js";
import { GatewayWorld, StockPlayer } from "./support.js";

const DELAY_MS = 60;
/** Of a machine on which several other things run. */
const LONG_MS = 90_000;

/** Both hosts are as near to whoever is beside one of them, and only one of them to who is in Tokyo. */
const RTT_MS = {
  frankfurt: { frankfurt: 0, virginia: 0, tokyo: 200 },
  virginia: { frankfurt: 0, virginia: 0, tokyo: 20 },
  tokyo: { frankfurt: 200, virginia: 20, tokyo: 0 },
};

/** What goes through it is so late, in either direction. */
async function slowWayTo(port: () => number): Promise<Server> {
  const server = createServer((here) => {
    const there = connect(port(), "127.0.0.1");
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      from.on("data", (chunk) => void setTimeout(() => to.writable && to.write(chunk), DELAY_MS));
      from.on("close", () => to.destroy()).on("error", () => to.destroy());
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

describe("a player who came by a gateway that is far away", () => {
  let world: GatewayWorld;
  let slow: Server;
  let far = "";

  beforeAll(async () => {
    // Gateways of emulated worlds are not measured: nothing delays their own bytes.
    world = await GatewayWorld.start({ emulated: false, autoMove: true }, RTT_MS);
    // Hosts are reached by the emulator all the same, which has to know where those who dial are.
    for (const at of [0, 1]) await world.system.emulator.setSite(`gateway:gateway-${at}`, "frankfurt");
    let port = 0;
    slow = await slowWayTo(() => port);
    far = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    port = (await world.gateway(0, far)).port;
    await world.gateway(0, true);
  }, LONG_MS);

  afterAll(async () => {
    slow?.close();
    await world?.[Symbol.asyncDispose]();
  });

  it("goes over to one that is nearer while its room moves: nothing lost, doubled or out of order, nobody dropped", async () => {
    const me = await SdkPlayer.join(far, { probing: { intervalMs: 200 }, direct: false });
    const rttMs = async (): Promise<number> => {
      const askedMs = performance.now();
      await me.room.request("echo", 1);
      return performance.now() - askedMs;
    };
    expect(await rttMs()).toBeGreaterThan(2 * DELAY_MS - 5);
    expect(world.gatewayOf(me.room.roomId)).toBe("gateway-0");
    me.talk();
    // The room moves to and fro meanwhile.
    for (let moves = 0; moves < 3; moves++) {
      await world.moveAway(me.room.roomId);
      const shots = me.shots + 5;
      await until(() => me.shots > shots, LONG_MS);
    }
    await until(() => world.gatewayOf(me.room.roomId) === "gateway-1", LONG_MS);
    await until(() => me.room.stats?.gatewayId === "gateway-1", LONG_MS);
    await me.more(10);
    await me.leaveWhole();
  }, 300_000);

  it("goes to the host itself where no hop is gained, and by a gateway while the room moves", async () => {
    const me = await SdkPlayer.join(far, { probing: { intervalMs: 200 } });
    const { roomId } = me.room;
    const isDirect = (): boolean =>
      world.gatewayOf(roomId) === undefined &&
      me.room.stats?.gatewayId === undefined &&
      me.room.pingMs < DELAY_MS;
    expect(world.gatewayOf(roomId)).toBe("gateway-0");
    me.talk();
    await until(isDirect, LONG_MS);
    await until(async () => {
      const decisions = await world.system.get<Decision[]>(`/api/v1/rooms/${roomId}/decisions`);
      return decisions.some(({ ways }) => ways?.[0]?.because.includes("no farther") === true);
    }, LONG_MS);
    const before = me.room.host.hostId;
    await world.moveAway(roomId);
    await until(() => me.room.host.hostId !== before, LONG_MS);
    await until(isDirect, LONG_MS);
    await me.more(10);
    await me.leaveWhole();
  }, 300_000);

  it("need not measure: its gateway does, and the host where their sum is least is known", async () => {
    await world.system.emulator.setSite("gateway:gateway-2", "tokyo");
    const { url } = await world.gateway();
    await world.system.post("/hosts/virginia/drain");
    const player = await StockPlayer.join(url);
    const { roomId } = player.room;
    const hostId = async (): Promise<string | undefined> => (await world.placeOf(roomId))?.hostId;
    expect(await hostId()).toBe("frankfurt");
    player.talk();
    await world.system.post("/hosts/virginia/activate");
    // A machine that is busy may find that the move would cost more than it brings.
    await until(async () => {
      const decisions = await world.system.get<Decision[]>(`/api/v1/rooms/${roomId}/decisions`);
      return decisions.some(({ candidates, ways = [] }) => {
        const [best] = candidates.toSorted((a, b) => a.scoreMs - b.scoreMs);
        const isKnown = ways.some((way) => way.gatewayId === "gateway-2" && way.toGatewayMs !== undefined);
        return best?.hostId === "virginia" && isKnown;
      });
    }, LONG_MS);
    player.hush();
    await player.heard();
    expect(player.entry).toMatchObject({ count: player.sent, disorder: 0 });
    expect([player.drops, player.left, player.disorder]).toEqual([0, [], 0]);
    // Nothing is known of the next player but its gateway: its room begins where that is near.
    const next = await StockPlayer.join(url, {}, "vault");
    const [first] = (await world.system.get<Decision[]>(`/api/v1/rooms/${next.room.roomId}/decisions`)).slice(
      -1,
    );
    expect(first).toMatchObject({ verdict: "place", toHostId: "virginia" });
    const [best] = first!.candidates;
    expect(best).toMatchObject({ hostId: "virginia", source: "measured" });
    await next.room.leave();
    await player.room.leave();
  }, 300_000);
});

it("offers a host's own address only where it can mean the same machine to the player", () => {
  expect(mayReach("127.0.0.1", "127.0.0.1:4000")).toBe(true);
  expect(mayReach("::1", "localhost:4000/beacon")).toBe(true);
  expect(mayReach("203.0.113.7", "198.51.100.1:4000")).toBe(true);
  expect(mayReach("192.168.1.4", "[2001:db8::1]:4000")).toBe(true);
  expect(mayReach("192.168.1.4", "10.0.0.3:4000")).toBe(true);
  expect(mayReach("203.0.113.7", "host.example:4000")).toBe(true);
  for (const host of ["127.0.0.1:1", "10.0.0.3:1", "[fd00::1]:1", "100.64.0.9:1", "169.254.1.1:1"])
    expect(mayReach("203.0.113.7", host), host).toBe(false);
  expect(mayReach("192.168.1.4", "127.0.0.1:4000")).toBe(false);
});

describe("ways", () => {
  const random = seededRandom(7);
  const network = (gateways: number, hosts: number) => {
    const legs = new Map<string, number>();
    const draw = (from: string, to: string) => legs.set(`${from} ${to}`, 1 + 200 * random.next());
    const gatewayIds = Array.from({ length: gateways }, (_, i) => `g${i}`);
    const hostIds = Array.from({ length: hosts }, (_, i) => `h${i}`);
    for (const gateway of gatewayIds) for (const host of hostIds) draw(gateway, host);
    const to: ToGateways = {
      presentId: "g0",
      rttsMs: new Map(gatewayIds.map((gateway) => [gateway, [1 + 200 * random.next()]])),
      atMs: 0,
    };
    return { gatewayIds, hostIds, to, onward: { rttMs: (g: string, h: string) => legs.get(`${g} ${h}`) } };
  };

  it("tells placement of the very ways that full search finds, once another gateway is worth the change", () => {
    for (let round = 0; round < 200; round++) {
      const { gatewayIds, hostIds, to, onward } = network(1 + random.below(4), 1 + random.below(5));
      for (const { hostId, rttsMs } of byShortestWays([], hostIds, to, onward, 0)) {
        const rttBy = (g: string) => (to.rttsMs.get(g)?.[0] ?? 0) + (onward.rttMs(g, hostId) ?? 0);
        const present = rttBy("g0");
        const least = Math.min(...gatewayIds.map(rttBy));
        const isWorth = least < present - Math.max(10, 0.2 * present);
        expect(rttsMs[0]).toBeCloseTo(isWorth ? least : present, 6);
      }
    }
  });

  it("counts what was measured by the present gateway less what another saves, and adds what need not be measured", () => {
    const rtts: Record<string, number> = {
      "g0 a": 100,
      "g1 a": 10,
      "g0 b": 5,
      "g1 b": 90,
      "g1 c": 3,
      "g0 c": 50,
    };
    const onward = { rttMs: (g: string, h: string) => rtts[`${g} ${h}`] };
    const gateways = [
      { gatewayId: "g0", rttsMs: [20, 22, 21] },
      { gatewayId: "g1", rttsMs: [30, 31, 32] },
    ];
    const to = toGatewaysOf("g0", gateways, 7);
    const measured = [
      { hostId: "a", rttsMs: [125, 123], lost: 1 },
      { hostId: "b", rttsMs: [26], lost: 0 },
    ];
    const told = byShortestWays(measured, ["a", "b", "c", "unmeasured"], to, onward, 7);
    expect(told).toEqual([
      { hostId: "a", rttsMs: [45, 43], lost: 1 },
      { hostId: "b", rttsMs: [26], lost: 0 },
      { hostId: "c", rttsMs: [33, 34, 35], lost: 0 },
    ]);
    // Later reports without gateways add nothing; one that is old, or names no present gateway, changes nothing.
    expect(byShortestWays(measured, ["c"], to, onward, 8)).toHaveLength(2);
    expect(byShortestWays(measured, ["c"], to, onward, 900_000)).toEqual(measured);
    expect(toGatewaysOf("g2", gateways, 7)).toBeUndefined();
    expect(byShortestWays(measured, ["c"], undefined, onward, 7)).toEqual(measured);
  });

  it("stays where the difference is not worth a change", () => {
    const by = (present: number, other: number) => {
      const to: ToGateways = {
        presentId: "a",
        rttsMs: new Map([
          ["a", [present]],
          ["b", [other]],
        ]),
        atMs: 0,
      };
      return bestWay(to, "h", { rttMs: () => 0 })?.gatewayId;
    };
    expect(by(100, 60)).toBe("b");
    expect(by(100, 85)).toBe("a");
    expect(by(12, 3)).toBe("a");
  });
});
