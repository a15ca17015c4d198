/** What players measure: what is taken in, what is rejected, and what they are asked to measure next. */
import { type BeaconList, type ProbeResponse, probeResponseSchema, type RoomEvent } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { until, World } from "./support/world.js";

const HOSTS = ["a", "b", "c", "d", "e", "f", "g", "h"];

async function report(world: World, body: object): Promise<ProbeResponse> {
  const response = await world.call("POST", "/centroid/v1/probes", body, "");
  const answer = (await response.json()) as { error?: { code: string } };
  if (!response.ok)
    throw Object.assign(new Error("refused"), { status: response.status, code: answer.error?.code });
  return probeResponseSchema.parse(answer);
}

describe("beacons", () => {
  it("of a newcomer are few and far from each other", async () => {
    await using world = await World.start([]);
    for (const [index, hostId] of HOSTS.entries()) await world.host(hostId, { longitude: index });
    await world.host("far", { longitude: 170 });
    const { beacons } = await world.get<BeaconList>("/centroid/v1/beacons");
    const ids = beacons.map(({ hostId }) => hostId);
    expect(ids).toHaveLength(6);
    expect(ids).toContain("far");
    expect(beacons[0]?.url).toMatch(/^ws:\/\/\w+\.test:1\/beacon$/);
  });

  it("can be asked for by name, through a network", async () => {
    const translate = (address: string, hostId: string, network: string | undefined): string =>
      network === undefined ? address : `relay/${network}/${hostId}/${address}`;
    await using world = await World.start(["a", "b"], { addressBook: { translate } });
    const { beacons } = await world.get<BeaconList>("/centroid/v1/beacons?hosts=b,unknown&network=dsl");
    expect(beacons).toMatchObject([{ hostId: "b", url: "ws://relay/dsl/b/b.test:1/beacon" }]);
  });

  it("are not those of hosts that drain or are away", async () => {
    await using world = await World.start(["a", "b"], { lostAfterMs: 60_000 });
    await world.call("POST", "/api/v1/hosts/a/drain", {});
    world.agent("b").disconnect();
    await until(async () => (await world.get<BeaconList>("/centroid/v1/beacons")).beacons.length === 0);
  });
});

describe("probe reports", () => {
  const player = async (world: World) => {
    const seat = await world.join("joinOrCreate", "arena");
    const { playerId, playerToken } = seat.centroid;
    return { seat, identity: { playerId, playerToken } };
  };

  it("are limited by player: who reports on and on is told to slow down, others are not", async () => {
    await using world = await World.start(["a"]);
    const [flooder, other] = [await player(world), await player(world)];
    const send = (identity: object) =>
      report(world, { ...identity, probes: [] }).then(
        () => 200,
        ({ code }) => code,
      );
    const answers = await Promise.all(Array.from({ length: 200 }, () => send(flooder.identity)));
    expect(answers.filter((answer) => answer === 200).length).toBeGreaterThanOrEqual(50);
    expect(answers).toContain("RATE_LIMITED");
    expect(await send(other.identity)).toBe(200);
  });

  it("are refused for another player, and without a seat", async () => {
    await using world = await World.start(["a"]);
    const first = await player(world);
    const second = await player(world);
    const forged = {
      playerId: first.identity.playerId,
      playerToken: second.identity.playerToken,
      probes: [],
    };
    await expect(report(world, forged)).rejects.toMatchObject({ status: 401, code: "UNAUTHORIZED" });
    world.agent("a").leave(first.seat.roomId, first.seat.sessionId);
    await until(() => world.broker.hosts()[0]?.players === 1);
    await expect(report(world, { ...first.identity, probes: [] })).rejects.toMatchObject({
      code: "SESSION_NOT_FOUND",
    });
  });

  it.each([
    ["negative", [-1], "a"],
    ["huge", [1e9], "a"],
    ["of an unknown host", [5], "nowhere"],
    ["faster than light", [0.5], "far"],
  ])("that are %s are not used, and it is said why", async (_what, rttsMs, hostId) => {
    await using world = await World.start(["a"]);
    await world.host("far", { latitude: 0, longitude: 179 });
    const { identity } = await player(world);
    const body = { ...identity, location: { latitude: 0, longitude: 0 }, probes: [{ hostId, rttsMs }] };
    const { rejected } = await report(world, body);
    expect(rejected).toEqual([{ hostId, reason: expect.any(String) }]);
    const { players } = world.broker.events.snapshot();
    expect(players[0]?.latency?.source).not.toBe("measured");
  });

  it.each([
    ["that are no numbers", { probes: [{ hostId: "a", rttsMs: ["NaN"] }] }],
    ["that are null, as JSON writes NaN", { probes: [{ hostId: "a", rttsMs: [null] }] }],
    ["by the hundred", { probes: [{ hostId: "a", rttsMs: new Array(33).fill(1) }] }],
    ["from beyond the pole", { location: { latitude: 91, longitude: 0 }, probes: [] }],
  ])("%s are refused whole", async (_what, body) => {
    await using world = await World.start(["a"]);
    const { identity } = await player(world);
    await expect(report(world, { ...identity, ...body })).rejects.toMatchObject({
      status: 400,
      code: "BAD_REQUEST",
    });
  });

  it("of a joiner are checked like any others, and cost it nothing else", async () => {
    await using world = await World.start(["a"]);
    const probes = [{ hostId: "a", rttsMs: [-5] }];
    await world.join("joinOrCreate", "arena", { "~centroid": { protocol: 1, probes } });
    await until(() => world.broker.events.snapshot().players.length === 1);
    expect(world.broker.events.snapshot().players[0]?.latency?.source).toBe("geodesic");
  });

  it("become rarer while nothing changes, and frequent when the player moves", async () => {
    await using world = await World.start(["a"]);
    const { identity } = await player(world);
    const probes = [{ hostId: "a", rttsMs: [20, 21] }];
    const send = async (location: object) =>
      (await report(world, { ...identity, location, probes })).intervalMs;
    const here = { latitude: 1, longitude: 1 };
    const intervals = [];
    for (let i = 0; i < 12; i++) intervals.push(await send(here));
    expect(intervals[0]).toBe(2_000);
    expect(intervals[1]).toBeGreaterThan(2_000);
    expect(intervals.at(-1)).toBe(30_000);
    expect(await send({ latitude: 2, longitude: 1 })).toBe(2_000);
  });

  it("are asked for without a pause after the player's path has changed, until it is placed again", async () => {
    await using world = await World.start(HOSTS);
    const { identity } = await player(world);
    const measure = (hostIds: readonly string[], rttMs: number) =>
      report(world, {
        ...identity,
        probes: hostIds.map((hostId) => ({ hostId, rttsMs: [rttMs, rttMs, rttMs] })),
      });
    await measure(HOSTS.slice(0, 4), 20);
    await measure(HOSTS.slice(4), 20);
    const standing = (await world.get<BeaconList>("/centroid/v1/beacons")).beacons.length;
    const known = ["a"];
    let answer = await measure(known, 200);
    while (known.length < standing) {
      expect(answer.intervalMs).toBeLessThan(500);
      const next = answer.next.map(({ hostId }) => hostId).filter((hostId) => !known.includes(hostId));
      expect(next).not.toEqual([]);
      known.push(...next);
      answer = await measure(next, 200);
    }
    expect(answer.intervalMs).toBe(2_000);
  });

  it("name at most four hosts to confirm next, none of them draining", async () => {
    await using world = await World.start(HOSTS);
    const { identity } = await player(world);
    const { next } = await report(world, { ...identity, probes: [{ hostId: "a", rttsMs: [10] }] });
    expect(next).toHaveLength(4);
    expect(next.map(({ hostId }) => hostId)).not.toContain("a");
    for (const hostId of HOSTS.slice(1)) await world.call("POST", `/api/v1/hosts/${hostId}/drain`, {});
    expect((await report(world, { ...identity, probes: [] })).next).toEqual([]);
  });

  it("go to each of the standing few in turn once all are measured", async () => {
    await using world = await World.start(HOSTS);
    const { identity, seat } = await player(world);
    const answer = (hostId: string) => ({ hostId, rttsMs: [10 * (1 + HOSTS.indexOf(hostId))] });
    const standing = (await world.get<BeaconList>("/centroid/v1/beacons")).beacons.map((b) => b.hostId);
    let wanted = HOSTS;
    const asked: string[] = [];
    for (let round = 0; round < 24; round++) {
      const { next } = await report(world, { ...identity, probes: wanted.map(answer) });
      wanted = next.map(({ hostId }) => hostId);
      asked.push(...wanted);
    }
    const own = seat.centroid.host.hostId;
    for (const hostId of standing) if (hostId !== own) expect(asked).toContain(hostId);
    expect(asked).not.toContain(own);
    expect(wanted).toHaveLength(1);
  });

  it("are shown as the player's latency to its host", async () => {
    await using world = await World.start(["a"]);
    const { identity, seat } = await player(world);
    await report(world, {
      ...identity,
      network: "dsl",
      probes: [{ hostId: "a", rttsMs: [20, 20, 20], lost: 1 }],
    });
    expect(world.broker.events.snapshot().players).toMatchObject([
      { sessionId: seat.sessionId, network: "dsl", latency: { source: "measured", p50Ms: 20 } },
    ]);
  });
});

describe("probe reports by the player's room", () => {
  const measured = (sessionId: string): RoomEvent => ({
    event: "measured",
    sessionId,
    location: { latitude: 1, longitude: 1 },
    probes: [{ hostId: "a", rttsMs: [20, 20, 20], lost: 0 }],
  });

  it("count like others, and are answered by the room's host", async () => {
    await using world = await World.start([]);
    for (const hostId of HOSTS) await world.host(hostId, { hello: { measures: true } });
    const { roomId, sessionId, centroid } = await world.join("joinOrCreate", "arena");
    const agent = world.agent(centroid.host.hostId);
    const room = agent.rooms.get(roomId)!;
    agent.tell(room, measured(sessionId));
    await until(() => agent.measure.length === 1);
    expect(agent.measure[0]).toMatchObject({ roomId, sessionId, intervalMs: 2_000 });
    expect(agent.measure[0]?.next).toHaveLength(4);
    agent.tell(room, measured(sessionId));
    await until(() => agent.measure.length === 2);
    expect(agent.measure[1]?.intervalMs).toBeGreaterThan(2_000);
    await until(async () => (await world.get<BeaconList>("/centroid/v1/beacons")).beacons.length > 0);
    expect(world.broker.events.snapshot().players).toMatchObject([{ location: { latitude: 1 } }]);
  });

  it("are taken from the room's own host only, and of players who are in it", async () => {
    await using world = await World.start([]);
    for (const hostId of ["a", "b"]) await world.host(hostId, { hello: { measures: true } });
    const { roomId, sessionId, centroid } = await world.join("joinOrCreate", "arena");
    const agent = world.agent(centroid.host.hostId);
    const other = world.agent(agent.hostId === "a" ? "b" : "a");
    const room = agent.rooms.get(roomId)!;
    other.tell(room, measured(sessionId));
    agent.tell(room, measured("nobody"));
    agent.tell(room, measured(sessionId));
    await until(() => agent.measure.length === 1);
    expect(other.measure).toEqual([]);
  });

  it("are not answered to a host that would not know what to do with it", async () => {
    await using world = await World.start(["a"]);
    const { roomId, sessionId } = await world.join("joinOrCreate", "arena");
    const agent = world.agent("a");
    agent.tell(agent.rooms.get(roomId)!, measured(sessionId));
    await until(() => world.broker.events.snapshot().players[0]?.latency?.source === "measured");
    expect(agent.measure).toEqual([]);
    expect(agent.dropped).toBe(false);
  });
});

describe("where a room is", () => {
  it("is told through the asker's network, also after a move", async () => {
    const translate = (address: string, hostId: string, network: string | undefined): string =>
      network === undefined ? address : `relay/${network}/${hostId}/${address}`;
    await using world = await World.start(["a", "b"], { addressBook: { translate } });
    const { roomId, centroid } = await world.join("create", "arena");
    const to = centroid.host.hostId === "a" ? "b" : "a";
    await world.move(roomId, to);
    expect(await world.get(`/centroid/v1/where/${roomId}?network=dsl`)).toMatchObject({
      roomId,
      epoch: 2,
      processId: `${to}-1`,
      publicAddress: `relay/dsl/${to}/${to}.test:1`,
      host: { hostId: to },
    });
    const missing = await world.call("GET", "/centroid/v1/where/none");
    expect([missing.status, await missing.json()]).toMatchObject([
      404,
      { error: { code: "ROOM_NOT_FOUND" } },
    ]);
  });
});
