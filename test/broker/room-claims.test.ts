/** A host gets a room only where an order of a broker led: what it says without one is refused, logged and counted. */
import { MemoryStore } from "@centroid/broker";
import { describe, expect, it } from "vitest";
import { RoomGrants } from "../../server/broker/dist/hosts/room-grants.js";
import { until, World } from "./support/world.js";

type Where = { hostId: string; epoch: number; state: string };
const where = (world: World, roomId: string) => world.get<Where>(`/api/v1/rooms/${roomId}`);
const refused = async (world: World): Promise<number> => {
  const text = await (await fetch(`${world.broker.url}/metrics`)).text();
  return Number(/^centroid_room_claims_refused_total (\d+)$/m.exec(text)?.[1]);
};
/** A room at one host, and another host that would like it. */
async function scene(options: Parameters<typeof World.start>[1] = {}) {
  const lines: unknown[][] = [];
  const note = (...line: unknown[]): void => void lines.push(line);
  const world = await World.start(["a", "b"], {
    agentToken: "outlives-a-lost-store",
    adminToken: "outlives-a-lost-store-too",
    ...options,
    logger: { debug() {}, info() {}, warn() {}, error: note } as never,
  });
  const { roomId, centroid } = await world.join("create", "arena");
  const owner = centroid.host.hostId;
  const thief = owner === "a" ? "b" : "a";
  return { world, roomId, owner, thief, lines };
}
/** It has a room of that id, whoever made it. */
function has(world: World, hostId: string, roomId: string, epoch: number): void {
  world.agent(hostId).rooms.set(roomId, {
    ...{ roomId, name: "arena", epoch, role: "owner" },
    ...{ sessions: new Map(), seats: new Map() },
  });
}
function claims(world: World, hostId: string, roomId: string): void {
  const room = world.agent(hostId).rooms.get(roomId)!;
  world.agent(hostId).tell(room, { event: "running", report: world.agent(hostId).report(room) });
}

describe("a host that claims a room", () => {
  it("by a high epoch that nobody ordered gets nothing and has to let go", async () => {
    const { world, roomId, owner, thief, lines } = await scene();
    await using _ = world;
    has(world, thief, roomId, 99);
    claims(world, thief, roomId);
    await until(() => !world.agent(thief).rooms.has(roomId));
    expect(await where(world, roomId)).toMatchObject({ hostId: owner, epoch: 1, state: "running" });
    expect(world.agent(owner).rooms.has(roomId)).toBe(true);
    expect(await refused(world)).toBe(1);
    expect(lines).toMatchObject([[{ hostId: thief, roomId, epoch: 99 }, expect.stringMatching(/refused/)]]);
  });

  it("by an order for another room, host or epoch gets nothing", async () => {
    const store = new MemoryStore();
    const { world, roomId, owner, thief } = await scene({ store });
    await using _ = world;
    const grants = new RoomGrants(await store.secret("room-grants", () => "none"));
    for (const other of [
      { roomId: "other", hostId: thief, epoch: 7 },
      { roomId, hostId: owner, epoch: 7 },
      { roomId, hostId: thief, epoch: 6 },
    ]) {
      has(world, thief, roomId, 7);
      world.agent(thief).grants.set(roomId, { epoch: 7, grant: grants.issue(other) });
      claims(world, thief, roomId);
      await until(() => !world.agent(thief).rooms.has(roomId));
    }
    expect(await refused(world)).toBe(3);
    expect(await where(world, roomId)).toMatchObject({ hostId: owner, epoch: 1 });
  });

  it("by the order of a move that was called off gets nothing (OWN-5)", async () => {
    const { world, roomId, owner, thief } = await scene();
    await using _ = world;
    world.agent(owner).scripts.set("migrateOut", () => Promise.reject(new Error("no")));
    expect(await world.move(roomId, thief)).toMatchObject({ outcome: "rolled-back" });
    has(world, thief, roomId, 2);
    expect(world.agent(thief).report(world.agent(thief).rooms.get(roomId)!).grant).toBeDefined();
    claims(world, thief, roomId);
    await until(() => !world.agent(thief).rooms.has(roomId));
    expect(await where(world, roomId)).toMatchObject({ hostId: owner, epoch: 1 });
    world.agent(owner).scripts.clear();
    expect(await world.move(roomId, thief)).toMatchObject({ outcome: "completed" });
    expect(await where(world, roomId)).toMatchObject({ hostId: thief, state: "running" });
  });

  it.each([1, 99])("gets nothing either by being first after a restart, at epoch %i", async (epoch) => {
    const { world, roomId, owner, thief } = await scene({ store: new MemoryStore() });
    await using _ = world;
    for (const agent of world.net.values()) agent.disconnect();
    has(world, thief, roomId, epoch);
    await world.restart();
    await world.agent(thief).connect(world.broker.url);
    await until(() => !world.agent(thief).rooms.has(roomId));
    await world.agent(owner).connect(world.broker.url);
    expect(await where(world, roomId)).toMatchObject({ hostId: owner, epoch: 1, state: "running" });
    expect(await refused(world)).toBe(1);
  });
});

describe("a broker whose store was lost", () => {
  it("takes rooms as their hosts have them, and of two the newer while hosts are coming back", async () => {
    const { world, roomId, owner, thief } = await scene();
    await using _ = world;
    for (const agent of world.net.values()) agent.disconnect();
    // It was moved just before, and its former host does not know yet.
    has(world, thief, roomId, 2);
    await world.restart({ rejoinGraceMs: 60_000 });
    await world.agent(owner).connect(world.broker.url);
    await until(async () => (await where(world, roomId)).hostId === owner);
    await world.agent(thief).connect(world.broker.url);
    await until(() => !world.agent(owner).rooms.has(roomId));
    expect(await where(world, roomId)).toMatchObject({ hostId: thief, epoch: 2 });
    expect(await refused(world)).toBe(0);
  });

  it("lets nobody take them any more after that", async () => {
    const { world, roomId, owner, thief } = await scene();
    await using _ = world;
    for (const agent of world.net.values()) agent.disconnect();
    await world.restart({ rejoinGraceMs: 0 });
    await world.agent(owner).connect(world.broker.url);
    await until(async () => (await where(world, roomId)).hostId === owner);
    has(world, thief, roomId, 99);
    await world.agent(thief).connect(world.broker.url);
    await until(() => !world.agent(thief).rooms.has(roomId));
    expect(await where(world, roomId)).toMatchObject({ hostId: owner, epoch: 1 });
    expect(await refused(world)).toBe(1);
  });
});
