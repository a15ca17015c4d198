/** Joins that no host can take just now, though one is expected: they wait for it, and for no other. */
import { CentroidError } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import type { HostEvents } from "../../server/broker/dist/hosts/host-events.js";
import { HostRegistry } from "../../server/broker/dist/hosts/host-registry.js";
import { LateHosts } from "../../server/broker/dist/hosts/late-hosts.js";
import { record, until, World } from "./support/world.js";

const state = (world: World): string | undefined => world.broker.hosts()[0]?.state;
/** What becomes of a join, without anybody who waits for it. */
const joining = (world: World) => {
  const outcome: { hostId?: string; roomId?: string; error?: Error } = {};
  const settled = world.match("joinOrCreate", "arena").then(
    ({ roomId, centroid: { host } }) => Object.assign(outcome, { hostId: host.hostId, roomId }),
    (error: Error) => Object.assign(outcome, { error }),
  );
  return { outcome, settled };
};

describe("a join while no host has ever said hello", () => {
  it("waits for the first if the broker has just started", async () => {
    await using world = await World.start([]);
    const { outcome, settled } = joining(world);
    // Answered after it was asked, by the same broker.
    expect((await world.call("GET", "/healthz")).status).toBe(200);
    expect(outcome).toEqual({});
    await world.host("a");
    await settled;
    expect(outcome).toMatchObject({ hostId: "a" });
  });

  it("is refused at once if the broker has been there for long", async () => {
    await using world = await World.start([], { firstHostWithinMs: 0 });
    await expect(world.match("joinOrCreate", "arena")).rejects.toMatchObject({
      message: "no host is connected; start an agent and try again",
      body: { reason: "NO_HOST" },
      status: 503,
    });
  });
});

describe("a join whose only host", () => {
  it("ends in order gets a room once it is started again, whether that has begun or is done", async () => {
    await using world = await World.start(["a"]);
    const agent = world.agent("a");
    agent.raw(JSON.stringify({ type: "leaving", withinMs: 10_000 }));
    await until(() => state(world) === "draining");
    const { decisions } = record(world);
    const first = joining(world);
    await until(() => decisions.length === 1);
    agent.disconnect();
    await until(() => state(world) === "lost");
    const second = joining(world);
    await agent.connect();
    await Promise.all([first.settled, second.settled]);
    expect(first.outcome).toMatchObject({ hostId: "a" });
    expect(second.outcome).toEqual(first.outcome);
  });

  it("is drained by an operator is told so at once", async () => {
    await using world = await World.start(["a"]);
    await world.call("POST", "/api/v1/hosts/a/drain");
    await expect(world.match("create", "arena")).rejects.toThrow(/\(a: draining\)/);
  });

  it("loses its connection while it makes the room gets a room once it is back, and the one made meanwhile ends", async () => {
    await using world = await World.start(["a"]);
    const agent = world.agent("a");
    agent.scripts.set("createRoom", async (request) => {
      agent.scripts.clear();
      await agent.usual(request);
      agent.disconnect();
    });
    const { outcome, settled } = joining(world);
    await until(() => agent.rooms.size === 1 && !agent.connected);
    const [made] = agent.rooms.keys();
    await until(() => state(world) === "lost");
    expect(outcome).toEqual({});
    await agent.connect();
    await settled;
    expect(outcome).toMatchObject({ hostId: "a" });
    expect(outcome.roomId).not.toBe(made);
    await until(() => agent.rooms.size === 1 && world.broker.events.snapshot().rooms.length === 1);
    expect([...agent.rooms.keys()]).toEqual([outcome.roomId]);
  });

  it("was away before anybody asked gets one as well, and so do those behind it", async () => {
    await using world = await World.start(["a"]);
    world.agent("a").disconnect();
    await until(() => state(world) === "lost");
    const { decisions } = record(world);
    const joins = Array.from({ length: 3 }, () => joining(world));
    await until(() => decisions.length === 1);
    await world.agent("a").connect();
    await Promise.all(joins.map(({ settled }) => settled));
    expect(new Set(joins.map(({ outcome }) => outcome.roomId)).size).toBe(1);
    expect(joins[0]?.outcome).toMatchObject({ hostId: "a" });
  });

  it("is full or refuses is told so at once, with who said what", async () => {
    await using world = await World.start([]);
    await world.host("a", { capacityRooms: 1 });
    await world.match("create", "arena");
    await expect(world.match("create", "arena")).rejects.toThrow(/no host can .*\(a: full\)/);
    const b = await world.host("b");
    b.scripts.set("createRoom", () => {
      throw new CentroidError("HOST_LOST", "the room host process ended");
    });
    await expect(world.match("create", "arena")).rejects.toMatchObject({
      message: expect.stringMatching(/a: full, b: HOST_LOST|b: HOST_LOST, a: full/),
      status: 503,
    });
    expect(b.requests.filter(({ method }) => method === "createRoom")).toHaveLength(1);
  });

  it("is late is answered when the broker ends", async () => {
    const world = await World.start(["a"]);
    world.agent("a").disconnect();
    await until(() => state(world) === "lost");
    const { decisions } = record(world);
    const { outcome, settled } = joining(world);
    await until(() => decisions.length === 1);
    await world[Symbol.asyncDispose]();
    await settled;
    expect(outcome.error?.message).toMatch(/no host can take a new room now \(a: lost\)/);
  });
});

describe("whoever waits for a host", () => {
  /** A host that was heard at 0 and is away since, on a clock of the test's own. */
  function away() {
    let nowMs = 0;
    const timers: { atMs: number; run: () => void }[] = [];
    const hosts = new HostRegistry();
    const events = new Emitter<never>();
    const ends = new AbortController();
    const clock = {
      now: () => nowMs,
      after: (delayMs: number, run: () => void) => {
        timers.push({ atMs: nowMs + delayMs, run });
        return () => undefined;
      },
    };
    const facts = { hostId: "a", roomTypes: ["arena"], capacityRooms: 1 } as never;
    const peer = { close: () => undefined } as never;
    const host = hosts.hello(facts, peer, 0);
    host.peer = undefined;
    const late = new LateHosts({ hosts, events: events as never, clock, signal: ends.signal });
    return {
      host,
      hosts,
      clock,
      back: (suits = true, failed: unknown[] = []) =>
        late.back(() => suits, new Set(failed) as never, nowMs + 15_000),
      goTo(atMs: number): void {
        nowMs = atMs;
        for (const timer of timers.splice(0)) timer.atMs <= atMs ? timer.run() : timers.push(timer);
      },
      hello(again: object): void {
        hosts.hello(facts, again as never, nowMs);
        (events as unknown as Emitter<{ "host.changed": object }>).emit("host.changed", { host });
      },
      ends,
    };
  }

  it("waits until 15 s after its last heartbeat, however late it began", async () => {
    const world = away();
    world.goTo(14_000);
    const back = world.back();
    world.goTo(15_000);
    expect(await back).toBe(false);
    expect(await world.back()).toBe(false);
  });

  it("hears at once when it is back, by another connection than the one that failed", async () => {
    const world = away();
    const [first, second] = [{}, {}];
    const back = world.back(true, [first]);
    world.hello(first);
    world.host.peer = undefined;
    world.hello(second);
    expect(await back).toBe(true);
    expect(await world.back(true, [second])).toBe(false);
    expect(await world.back(true, [first])).toBe(true);
  });

  it("waits for one that leaves until 15 s after it said so, and again once it is away", async () => {
    const world = away();
    const { host } = world;
    world.hosts.apply("a", { type: "drain" });
    host.leavesSinceMs = 0;
    const peer = {} as never;
    host.peer = peer;
    world.goTo(14_000);
    host.lastHeartbeatAtMs = 14_000;
    const back = world.back();
    world.goTo(15_000);
    expect(await back).toBe(false);
    host.peer = undefined;
    const again = world.back();
    world.hello({});
    expect(await again).toBe(true);
  });

  it("does not wait for one that drains, or that does not take such rooms, or when the broker ends", async () => {
    const world = away();
    expect(await world.back(false)).toBe(false);
    const back = world.back();
    world.ends.abort();
    expect(await back).toBe(false);
    const other = away();
    other.hosts.apply("a", { type: "drain" });
    other.hosts.apply("a", { type: "missed-heartbeats", atMs: 0 });
    expect(await other.back()).toBe(false);
  });

  it.each([
    ["until 15 s after the start", undefined, [0, 14_000], 15_000],
    [
      "for 15 s each if hosts are on their way, however late it is",
      Number.POSITIVE_INFINITY,
      [50_000],
      65_000,
    ],
    ["not at all if told so", 0, [0], 0],
  ])("waits for a first host %s", async (_name, firstHostWithinMs, begunAtMs, untilMs) => {
    const { hosts, clock, goTo, ends } = away();
    const events = new Emitter<HostEvents>();
    const options = { hosts, events, clock, firstHostWithinMs, signal: ends.signal };
    const late = new LateHosts(options);
    let waiting = 0;
    for (const atMs of begunAtMs) {
      goTo(atMs);
      waiting++;
      void late.first(atMs + 15_000).then(() => waiting--);
    }
    const settled = () => new Promise((resolve) => setImmediate(resolve));
    goTo(untilMs - 1);
    await settled();
    expect(waiting).toBe(untilMs === 0 ? 0 : begunAtMs.length);
    goTo(untilMs);
    await settled();
    expect(waiting).toBe(0);
  });

  it("does not wait for a first host once there was one", async () => {
    const { host, hosts, clock, ends } = away();
    const events = new Emitter<HostEvents>();
    const late = new LateHosts({ hosts, events, clock, signal: ends.signal });
    const first = late.first(15_000);
    events.emit("host.connected", { host, reports: [] });
    events.emit("host.changed", { host });
    await first;
    await late.first(15_000);
  });
});
