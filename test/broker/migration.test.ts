/** Moves as a broker orders them, and every way in which one can fail. */
import { MemoryStore } from "@centroid/broker";
import type { AgentRequest } from "@centroid/protocol";
import { describe, expect, it } from "vitest";
import type { FakeAgent } from "./support/fake-agent.js";
import { until, World } from "./support/world.js";

type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;
type Step = "begun" | "copied" | "shipped" | "accepted" | "released";

/** The source runs its usual hand-off and does `what` when it gets to `step`. */
function at(agent: FakeAgent, step: Step, what: () => unknown): void {
  agent.scripts.set("migrateOut", (request) =>
    agent.migrateOut(request as MigrateOut, async (now) => {
      if (now === step) await what();
    }),
  );
}

async function withRoom(hosts: string[], options = {}) {
  const store = new MemoryStore();
  const world = await World.start([], { store, ...options });
  for (const hostId of hosts) await world.host(hostId);
  const probes = hosts.map((hostId, index) => ({ hostId, rttsMs: [10 + 50 * index] }));
  const seat = await world.join("create", "arena", {
    "~centroid": { protocol: 1, probes, network: "fibre" },
  });
  return { world, store, roomId: seat.roomId, seat };
}

const room = (world: World, roomId: string) =>
  world.get<{ hostId: string; epoch: number; state: string; players: number }>(`/api/v1/rooms/${roomId}`);
const owners = (world: World, roomId: string): string[] =>
  [...world.net.values()]
    .filter((agent) => ["owner", "leaving"].includes(agent.rooms.get(roomId)?.role ?? ""))
    .map(({ hostId }) => hostId);

describe("a move", () => {
  it("ends with a new owner, the next epoch and a receipt (OWN-2)", async () => {
    const { world, store, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    const receipt = await world.move(roomId, "b");
    expect(receipt).toMatchObject({
      outcome: "completed",
      fromHostId: "a",
      toHostId: "b",
      epoch: 2,
      reason: "operator",
      bytes: 100,
      freezeMs: { clients: 1, p50: 52 },
      freezeBeyondTickMs: { p50: 2 },
      messagesLost: 0,
      stateHashBefore: "h",
    });
    expect(await room(world, roomId)).toMatchObject({ hostId: "b", epoch: 2, state: "running", players: 1 });
    expect(await store.openMigrations()).toEqual([]);
    expect(await world.get(`/api/v1/receipts?roomId=${roomId}`)).toEqual([receipt]);
    expect((await world.move(roomId, "a")).epoch).toBe(3);
  });

  it("tells the source how each player's network reaches the destination", async () => {
    const translate = (address: string, hostId: string, network: string | undefined): string =>
      network === undefined ? address : `relay/via/${network}/${hostId}/${address}`;
    const { world, roomId } = await withRoom(["a", "b"], { addressBook: { translate } });
    await using _ = world;
    await world.move(roomId, "b");
    const out = world
      .agent("a")
      .requests.find((request): request is MigrateOut => request.method === "migrateOut");
    expect(out?.destination).toMatchObject({
      addresses: { "": "b.test:1", fibre: "relay/via/fibre/b/b.test:1" },
      transferUrl: expect.stringMatching(/^ws:\/\/relay\/via\/host:a\/b\/b\.test:1\/handoff\//),
    });
  });

  it.each([
    ["an unknown room", "nothing", "b", "ROOM_NOT_FOUND"],
    ["an unknown host", undefined, "nowhere", "HOST_NOT_FOUND"],
    ["the host it is on", undefined, "a", "BAD_REQUEST"],
    ["a draining host", undefined, "draining", "HOST_NOT_ACTIVE"],
    ["a full host", undefined, "full", "HOST_FULL"],
    ["a host without its type", undefined, "other", "ROOM_TYPE_UNKNOWN"],
    ["a host whose agent is away", undefined, "away", "HOST_NOT_ACTIVE"],
  ])("to %s is refused with a typed error", async (_what, wrongRoomId, hostId, code) => {
    const { world, roomId } = await withRoom(["a", "b"], { lostAfterMs: 60_000 });
    await using _ = world;
    await world.host("draining");
    await world.call("POST", "/api/v1/hosts/draining/drain", {});
    const full = await world.host("full", { capacityRooms: 1 });
    await world.host("other", { roomTypes: ["else"] });
    const away = await world.host("away");
    const hints = {
      protocol: 1,
      probes: [
        { hostId: "full", rttsMs: [1] },
        { hostId: "a", rttsMs: [99] },
      ],
    };
    await world.join("create", "arena", { "~centroid": hints });
    expect(full.rooms.size).toBe(1);
    away.disconnect();
    await until(
      async () =>
        (await world.call("POST", "/api/v1/whatif", { roomId, location: { latitude: 0, longitude: 0 } })).ok,
    );
    await expect(world.move(wrongRoomId ?? roomId, hostId)).rejects.toMatchObject({ code });
    expect(await room(world, roomId)).toMatchObject({ hostId: "a", epoch: 1, state: "running" });
  });

  it("is refused while another one of the same room is under way", async () => {
    const { world, roomId } = await withRoom(["a", "b", "c"]);
    await using _ = world;
    let second: unknown;
    at(world.agent("a"), "copied", async () => {
      second = await world.move(roomId, "c").catch((error: unknown) => error);
    });
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "completed" });
    expect(second).toMatchObject({ code: "ROOM_MOVING", status: 409 });
  });

  it("lets a joiner wait until somebody owns the room", async () => {
    const { world, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    let joining: Promise<{ publicAddress?: string | undefined }> | undefined;
    at(world.agent("a"), "shipped", async () => {
      joining = world.match("joinById", roomId);
      const asked = world.agent("a").requests.length;
      await until(() => world.agent("a").requests.length > asked);
    });
    await world.move(roomId, "b");
    expect((await joining)?.publicAddress).toBe("b.test:1");
  });

  it("keeps players who join and leave in the middle", async () => {
    const { world, roomId, seat } = await withRoom(["a", "b"]);
    await using _ = world;
    at(world.agent("a"), "copied", async () => {
      await world.join("joinById", roomId);
      await world.join("joinById", roomId);
      world.agent("a").leave(roomId, seat.sessionId);
    });
    await world.move(roomId, "b");
    await until(async () => (await room(world, roomId)).players === 2);
    expect(world.agent("b").rooms.get(roomId)?.sessions.size).toBe(2);
  });
});

describe("a move that fails", () => {
  const goesOn: [string, Step, (world: World) => unknown, string, string][] = [
    [
      "the destination dies before anything is there",
      "begun",
      (w) => w.agent("b").crash(),
      "a",
      "rolled-back",
    ],
    ["the destination dies after the copy", "copied", (w) => w.agent("b").crash(), "a", "rolled-back"],
    [
      "the destination dies when everything is shipped",
      "shipped",
      (w) => w.agent("b").crash(),
      "a",
      "rolled-back",
    ],
    [
      "the source breaks after the switch",
      "accepted",
      () => Promise.reject(new Error("broke")),
      "b",
      "completed",
    ],
    ["the source dies after the switch", "accepted", (w) => w.agent("a").crash(), "b", "completed"],
  ];
  it.each(goesOn)("because %s leaves one owner (OWN-3)", async (_what, step, fail, hostId, outcome) => {
    const { world, store, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    at(world.agent("a"), step, () => fail(world));
    expect(await world.move(roomId, "b")).toMatchObject({ outcome });
    expect(owners(world, roomId)).toEqual([hostId]);
    expect(await room(world, roomId)).toMatchObject({ hostId, state: "running", players: 1 });
    expect(await store.openMigrations()).toEqual([]);
  });

  it("because the destination cannot prepare goes on at the source", async () => {
    const { world, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    world.agent("b").scripts.set("migrateIn", () => Promise.reject(new Error("no memory")));
    const receipt = await world.move(roomId, "b");
    expect(receipt).toMatchObject({ outcome: "rolled-back", error: { message: "no memory" }, epoch: 1 });
    world.agent("b").scripts.clear();
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "completed", epoch: 3 });
  });

  it("because the source never answers is settled by asking both", async () => {
    const { world, roomId } = await withRoom(["a", "b"], {
      migration: { deadlineMs: 1, reportWindowMs: 50, settleRetryMs: 20 },
    });
    await using _ = world;
    const hang = new Promise<never>(() => undefined);
    at(world.agent("a"), "copied", () => hang);
    expect(await world.move(roomId, "b")).toMatchObject({
      outcome: "rolled-back",
      error: { code: "HOST_LOST" },
    });
    expect(owners(world, roomId)).toEqual(["a"]);
    expect(world.agent("b").rooms.size).toBe(0);
  });

  it("because the answer was lost after the switch commits", async () => {
    const { world, roomId } = await withRoom(["a", "b"], {
      migration: { deadlineMs: 1, reportWindowMs: 50, settleRetryMs: 20 },
    });
    await using _ = world;
    const { tell } = world.agent("b");
    // Neither `owned` nor the reply arrives: only asking tells.
    world.agent("b").tell = (said, change) => {
      if (change.event !== "owned") tell.call(world.agent("b"), said, change);
    };
    at(world.agent("a"), "accepted", () => new Promise<never>(() => undefined));
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "completed", epoch: 2 });
    await until(() => owners(world, roomId).join() === "b");
  });

  it("because the source dies with the room is said plainly, and the destination keeps no half of it", async () => {
    const { world, store, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    at(world.agent("a"), "copied", async () => {
      world.agent("a").crash();
      await world.agent("a").connect();
    });
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "failed" });
    await expect.poll(async () => (await world.call("GET", `/api/v1/rooms/${roomId}`)).status).toBe(404);
    expect(world.agent("b").rooms.size).toBe(0);
    expect(await store.openMigrations()).toEqual([]);
  });

  it("because the source is cut off waits for it, and it goes on when it is back", async () => {
    const { world, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    at(world.agent("a"), "copied", () => {
      world.agent("a").disconnect();
      return new Promise<never>(() => undefined);
    });
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "rolled-back" });
    expect(await room(world, roomId)).toMatchObject({ hostId: "a", state: "restoring" });
    world.agent("a").scripts.clear();
    await world.agent("a").connect();
    expect(await room(world, roomId)).toMatchObject({ hostId: "a", state: "running" });
    await until(() => world.agent("a").rooms.get(roomId)?.role === "owner");
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "completed", epoch: 3 });
  });

  it("because the destination dies with the room at once leaves no frozen rest at the source", async () => {
    const { world, store, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    world.agent("a").scripts.set("migrateOut", (request) =>
      world.agent("a").migrateOut(request as MigrateOut, async (now) => {
        if (now !== "shipped") return;
        const there = world.agent("b").rooms.get(roomId);
        if (there === undefined) throw new Error("not begun");
        there.role = "owner";
        world.agent("b").tell(there, { event: "owned", migrationId: there.migrationId ?? "" });
        await until(async () => (await room(world, roomId)).hostId === "b");
        world.agent("b").crash();
        await world.agent("b").connect();
        throw new Error("no answer from the destination");
      }),
    );
    await world.move(roomId, "b");
    await until(() => world.agent("a").rooms.size === 0);
    expect((await world.call("GET", `/api/v1/rooms/${roomId}`)).status).toBe(404);
    expect(await store.openMigrations()).toEqual([]);
  });

  it("does not let a destination that was given up own the room later (OWN-5)", async () => {
    const { world, roomId } = await withRoom(["a", "b"]);
    await using _ = world;
    const b = world.agent("b");
    // The destination takes over just as it is cut off from everybody.
    at(world.agent("a"), "shipped", () => {
      const there = b.rooms.get(roomId);
      if (there !== undefined) there.role = "owner";
      b.disconnect();
      throw new Error("no answer");
    });
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "rolled-back" });
    expect(owners(world, roomId)).toEqual(["a", "b"]);
    await b.connect();
    await until(() => owners(world, roomId).join() === "a");
    expect(await room(world, roomId)).toMatchObject({ hostId: "a", epoch: 1 });
    world.agent("a").scripts.clear();
    // That it was taken back is an epoch of its own.
    expect(await world.move(roomId, "b")).toMatchObject({ outcome: "completed", epoch: 4 });
  });
});
