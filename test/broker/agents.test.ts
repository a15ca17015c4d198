/** Agents at a broker: who is refused, when a host counts as lost, and what a broker that starts again believes. */
import { once } from "node:events";
import { MemoryStore } from "@centroid/broker";
import { describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../server/broker/dist/base/clock.js";
import { RoomGrants } from "../../server/broker/dist/hosts/room-grants.js";
import { FakeAgent } from "./support/fake-agent.js";
import { until, World } from "./support/world.js";

/** A connection to the agents' end, and the first thing said there that matches. */
function dial(world: World) {
  const socket = new WebSocket(`${world.broker.url.replace("http", "ws")}/agent`);
  socket.on("error", () => undefined);
  const heard: { type: string }[] = [];
  socket.on("message", (data) => heard.push(JSON.parse(data.toString())));
  const said = async (matches: (message: { type: string }) => boolean) => {
    await until(() => heard.some(matches));
    return heard.find(matches);
  };
  return { socket, said };
}

const state = (world: World, hostId: string) =>
  world.broker.hosts().find((host) => host.hostId === hostId)?.state;

describe("an agent is refused", () => {
  it.each([
    ["with a wrong token", { token: "guess" }, "UNAUTHORIZED"],
    ["with a proof of nothing", { answer: { proof: "" } }, "UNAUTHORIZED"],
    ["with the proof for another host", { answer: { hostId: "b" } }, "UNAUTHORIZED"],
    ["as another host than the one it proved to be", { hello: { hostId: "b" } }, "BAD_REQUEST"],
    ["with another protocol", { answer: { protocol: 99 } }, "PROTOCOL_VERSION"],
    [
      "with another protocol and other fields",
      { answer: { protocol: 99, hostId: undefined } },
      "PROTOCOL_VERSION",
    ],
    ["with an impossible latitude", { hello: { latitude: 123 } }, "FRAME_INVALID"],
  ])("%s", async (_what, more, code) => {
    await using world = await World.start([]);
    await expect(world.host("a", more)).rejects.toMatchObject({ code });
    expect(world.broker.hosts()).toEqual([]);
  });

  it("when a host of that id is connected, and takes over when it is not", async () => {
    await using world = await World.start(["a"]);
    const first = world.agent("a");
    await expect(world.host("a")).rejects.toMatchObject({
      code: "BAD_REQUEST",
      message: /connected already/,
    });
    expect(state(world, "a")).toBe("active");
    first.disconnect();
    await world.host("a");
    expect(state(world, "a")).toBe("active");
  });

  it.each([
    ["an answer", { type: "heartbeat", load: 0, rssBytes: 0 }, "BAD_REQUEST"],
    [
      "a proof",
      { type: "answer", protocol: 1, hostId: "x", nonce: "n".repeat(22), proof: "p" },
      "UNAUTHORIZED",
    ],
  ])("when it begins without %s", async (_what, first, code) => {
    await using world = await World.start(["a"]);
    const { said, socket } = dial(world);
    await said(({ type }) => type === "challenge");
    socket.send(JSON.stringify(first));
    expect(await said(({ type }) => type === "refused")).toMatchObject({ error: { code } });
  });

  it("with what another one was overheard to say, and when it takes its time", async () => {
    await using world = await World.start([], {
      // Five seconds pass in fifty milliseconds.
      clock: { ...systemClock, after: (delayMs, run) => systemClock.after(delayMs / 100, run) },
      heartbeatIntervalMs: 5_000,
      lostAfterMs: 60_000,
    });
    const overheard: string[] = [];
    const agent = new FakeAgent({ ...world.agentOptions("a"), overhear: (text) => overheard.push(text) });
    await agent.connect();
    const [answer] = overheard;
    expect(JSON.parse(answer!)).toMatchObject({ type: "answer", hostId: "a" });
    expect(overheard.join()).not.toContain(world.broker.agentToken);
    const replayed = dial(world);
    await replayed.said(({ type }) => type === "challenge");
    replayed.socket.send(answer!);
    expect(await replayed.said(({ type }) => type === "refused")).toMatchObject({
      error: { code: "UNAUTHORIZED" },
    });
    const slow = dial(world);
    const closed = once(slow.socket, "close");
    expect((await closed)[0]).toBe(4014);
  });

  it("without filling the memory: a stranger is cut off long before a hello's size", async () => {
    await using world = await World.start([]);
    const { said, socket } = dial(world);
    await said(({ type }) => type === "challenge");
    const closed = once(socket, "close");
    socket.send("x".repeat(1_000_000), () => undefined);
    await closed;
  });

  it("once in the log however often it tries, and is not looked at any more when it guesses on", async () => {
    const lines: unknown[] = [];
    const logger = { debug() {}, info() {}, error() {}, warn: (...args: unknown[]) => lines.push(args) };
    await using world = await World.start(["a"], { logger: logger as never });
    const codes: string[] = [];
    for (let guess = 0; guess < 14; guess++)
      await world.host("b", { token: `guess ${guess}` }).catch(({ code }) => codes.push(code));
    expect(codes.slice(0, 10)).toEqual(Array(10).fill("UNAUTHORIZED"));
    expect(codes.slice(-1)).toEqual(["RATE_LIMITED"]);
    expect(lines).toMatchObject([
      [{ code: "UNAUTHORIZED" }, expect.stringMatching(/wrong agent token/)],
      [{ code: "RATE_LIMITED" }, expect.anything()],
    ]);
    // Who is in stays in.
    expect(state(world, "a")).toBe("active");
  });

  it("after a frame that is not of the protocol, and nobody else notices", async () => {
    await using world = await World.start(["a", "b"]);
    const seat = await world.join("create", "arena", {
      "~centroid": {
        protocol: 1,
        probes: [
          { hostId: "b", rttsMs: [1] },
          { hostId: "a", rttsMs: [50] },
        ],
      },
    });
    world.agent("a").raw("{ nonsense");
    await until(() => world.agent("a").refused !== undefined);
    expect(world.agent("a").refused?.code).toBe("FRAME_INVALID");
    expect((await world.match("joinById", seat.roomId)).centroid.host.hostId).toBe("b");
  });
});

describe("a host", () => {
  it("is lost after missed heartbeats, with its rooms kept until it is back (FAIL-1)", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    world.agent("a").disconnect();
    await until(() => state(world, "a") === "lost");
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ state: "restoring", players: 1 });
    await expect(world.match("joinById", roomId)).rejects.toMatchObject({ body: { reason: "HOST_LOST" } });
    await world.agent("a").connect();
    expect(state(world, "a")).toBe("active");
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({
      state: "running",
      players: 1,
      epoch: 1,
    });
  });

  it("is given a lease that is over before its silence counts as a loss (OWN-7)", async () => {
    const lostAfterMs = 30_000;
    await using world = await World.start(["a"], { lostAfterMs });
    expect(world.agent("a").leaseMs).toBeGreaterThan(0);
    expect(world.agent("a").leaseMs).toBeLessThan(lostAfterMs);
  });

  it("that falls silent and speaks again must say anew what it runs, and is taken at its word", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    world.agent("a").silence();
    await until(() => state(world, "a") === "lost");
    world.agent("a").raw(JSON.stringify({ type: "heartbeat", load: 0, rssBytes: 0 }));
    await until(() => world.agent("a").dropped);
    await world.agent("a").connect();
    expect(state(world, "a")).toBe("active");
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ state: "running" });
  });

  it("that beats while the broker stands still is not lost when the broker wakes up", async () => {
    await using world = await World.start(["a"], { lostAfterMs: 200 });
    const states: string[] = [];
    world.broker.events.subscribe((event) => {
      if (event.type === "host") states.push(event.host.state);
    });
    const heardAtMs = (): number => world.broker.hosts()[0]?.lastHeartbeatAtMs ?? 0;
    const wakesAtMs = performance.now() + 600;
    while (performance.now() < wakesAtMs);
    const before = heardAtMs();
    await until(() => heardAtMs() > before + 100);
    states.push(state(world, "a") ?? "gone");
    expect(new Set(states)).toEqual(new Set(["active"]));
  });

  it("that comes back without its rooms has lost them", async () => {
    await using world = await World.start(["a"]);
    const { roomId } = await world.join("create", "arena");
    world.agent("a").crash();
    await world.agent("a").connect();
    expect((await world.call("GET", `/api/v1/rooms/${roomId}`)).status).toBe(404);
    expect(world.broker.hosts()[0]).toMatchObject({ rooms: 0, players: 0 });
  });

  it("whose rooms' machines go on without it may be started again before it counts as lost", async () => {
    await using world = await World.start(["process"], {
      agentRestartMs: 2_000,
      carrier: "vm",
    });
    await world.host("vm", { hello: { carriers: ["vm"] } });
    const { roomId } = await world.join("create", "arena");
    const before = world.agent("vm").rooms.get(roomId)?.epoch;
    for (const hostId of ["process", "vm"]) world.agent(hostId).disconnect();
    await until(() => state(world, "process") === "lost");
    expect(state(world, "vm")).toBe("active");
    await world.agent("vm").connect();
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ state: "running", epoch: before });
    world.agent("vm").disconnect();
    await until(() => state(world, "vm") === "lost");
  });

  it("that does not come back is forgotten", async () => {
    await using world = await World.start(["a"], { lostAfterMs: 100, forgetAfterMs: 300 });
    const { roomId } = await world.join("create", "arena");
    world.agent("a").disconnect();
    await until(() => world.broker.hosts().length === 0);
    expect((await world.call("GET", `/api/v1/rooms/${roomId}`)).status).toBe(404);
  });

  it("takes its room's end and crash at its word, but only for what it owns", async () => {
    await using world = await World.start(["a", "b"]);
    const near = (hostId: string) => ({
      "~centroid": {
        protocol: 1,
        probes: ["a", "b"].map((id) => ({ hostId: id, rttsMs: [id === hostId ? 1 : 90] })),
      },
    });
    const first = await world.join("create", "arena", near("a"));
    const room = world.agent("a").rooms.get(first.roomId);
    if (room === undefined) throw new Error("not created");
    world.agent("b").tell(room, { event: "disposed" });
    world.agent("a").tell({ ...room, epoch: 0 }, { event: "disposed" });
    world.agent("a").tell(room, { event: "listing", locked: true });
    await until(async () => (await world.get<{ locked: boolean }>(`/api/v1/rooms/${first.roomId}`)).locked);
    world.agent("a").tell(room, { event: "lost", error: { code: "HOST_LOST", message: "room host died" } });
    await until(async () => (await world.call("GET", `/api/v1/rooms/${first.roomId}`)).status === 404);
  });
});

describe("a broker that starts again", () => {
  it("finds rooms, epochs and players; joins wait for their host", async () => {
    const store = new MemoryStore();
    await using world = await World.start(["a", "b"], { store });
    const { roomId, centroid } = await world.join("joinOrCreate", "arena");
    const [from, to] = centroid.host.hostId === "a" ? ["a", "b"] : ["b", "a"];
    await world.move(roomId, to);
    for (const agent of world.net.values()) agent.disconnect();
    await world.restart();
    const joining = world.match("joinOrCreate", "arena");
    await world.agent(from).connect(world.broker.url);
    await world.agent(to).connect(world.broker.url);
    expect((await joining).roomId).toBe(roomId);
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ hostId: to, epoch: 2, players: 1 });
  });

  it("lets nobody wait for ever who joins", async () => {
    const store = new MemoryStore();
    await using world = await World.start(["a"], { store });
    await world.join("joinOrCreate", "arena");
    world.agent("a").disconnect();
    await world.restart({ rejoinGraceMs: 50 });
    await world.broker.ready;
    await world.host("b");
    expect((await world.match("joinOrCreate", "arena")).centroid.host.hostId).toBe("b");
  });

  it("gives no room away before hosts can reach it, however long after its start that is", async () => {
    const store = new MemoryStore();
    await using world = await World.start(["a"], { store });
    const { roomId } = await world.join("create", "arena");
    const a = world.agent("a");
    a.raw(JSON.stringify({ type: "checkpoint", roomId, epoch: 1, seq: 1, takenAtMs: 1, data: "c2F2ZWQ=" }));
    await until(() => a.checkpointed.length === 1);
    a.disconnect();
    // A proxy in front of it lets nobody through for longer than it waits for its hosts.
    await world.restart({ rejoinGraceMs: 1_500 });
    await world.broker.ready;
    expect(world.broker.events.snapshot().rooms).toEqual([]);
    // Its players look on.
    const where = await world.call("GET", `/centroid/v1/where/${roomId}`, undefined, "");
    expect(await where.json()).toMatchObject({ error: { code: "NO_HOST" } });
    await Promise.all([world.host("b"), a.connect(world.broker.url)]);
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({
      hostId: "a",
      epoch: 1,
      state: "running",
    });
  });

  it("lets the newer epoch win over a host that missed a switch (OWN-2)", async () => {
    const store = new MemoryStore();
    await using world = await World.start(["a", "b"], { store });
    const { roomId, centroid } = await world.join("joinOrCreate", "arena");
    const [from, to] = centroid.host.hostId === "a" ? ["a", "b"] : ["b", "a"];
    for (const agent of world.net.values()) agent.disconnect();
    const room = world.agent(from).rooms.get(roomId);
    if (room === undefined) throw new Error("not created");
    world.agent(to).rooms.set(roomId, { ...room, epoch: 2 });
    // The order for it is on record with the host, not with the broker.
    const grants = new RoomGrants(await store.secret("room-grants", () => "none"));
    world.agent(to).grants.set(roomId, { epoch: 2, grant: grants.issue({ roomId, hostId: to, epoch: 2 }) });
    await world.restart();
    await world.agent(from).connect(world.broker.url);
    await world.agent(to).connect(world.broker.url);
    await until(() => !world.agent(from).rooms.has(roomId));
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({ hostId: to, epoch: 2, players: 1 });
  });

  it.each([
    ["never got there", "shipped", "from"],
    ["got there unheard", "accepted", "to"],
  ] as const)("ends a move that %s", async (_what, step, where) => {
    const store = new MemoryStore();
    await using world = await World.start(["a", "b"], { store });
    const { roomId, centroid } = await world.join("joinOrCreate", "arena");
    const [from, to] = centroid.host.hostId === "a" ? ["a", "b"] : ["b", "a"];
    const stuck = new Promise<never>(() => undefined);
    const reached = new Promise<void>((resolve) => {
      world.agent(from).scripts.set("migrateOut", (request) =>
        world.agent(from).migrateOut(request as never, (now) => {
          if (now !== step) return undefined;
          resolve();
          return stuck;
        }),
      );
    });
    if (where === "to") world.agent(to).tell = () => undefined;
    const moving = world.move(roomId, to).catch(() => undefined);
    await reached;
    for (const agent of world.net.values()) agent.disconnect();
    expect(await store.openMigrations()).toHaveLength(1);
    await world.restart();
    await moving;
    await world.agent(from).connect(world.broker.url);
    await world.agent(to).connect(world.broker.url);
    await until(async () => (await store.openMigrations()).length === 0);
    const owner = where === "to" ? to : from;
    await until(() => world.agent(owner).rooms.get(roomId)?.role === "owner");
    await until(() => !world.agent(owner === to ? from : to).rooms.has(roomId));
    expect(await world.get(`/api/v1/rooms/${roomId}`)).toMatchObject({
      hostId: owner,
      state: "running",
      epoch: owner === to ? 2 : 1,
      players: 1,
    });
  });
});

it("a port in use is named, with how to change it", async () => {
  await using world = await World.start([]);
  await expect(World.start([], { port: world.broker.port })).rejects.toMatchObject({
    code: "PORT_IN_USE",
    message: expect.stringMatching(new RegExp(`port ${world.broker.port} .*--port.*CENTROID_PORT`)),
  });
});
