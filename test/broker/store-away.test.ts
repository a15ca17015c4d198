/**
 * A store that several brokers share does not answer for a while, or another broker decides meanwhile: whatever was
 * under way is finished afterwards, by one of them, and nothing is given up because of it.
 */

import { MemoryStore, RedisStore } from "@centroid/broker";
import type { AgentRequest } from "@centroid/protocol";
import { CentroidError } from "@centroid/protocol";
import { expect, it } from "vitest";
import { RoomGrants } from "../../server/broker/dist/hosts/room-grants.js";
import { MoveResolver } from "../../server/broker/dist/moves/move-resolver.js";
import { GuardedStore } from "../../server/broker/dist/store/guarded-store.js";
import { FakeAgent, type FakeRoom } from "./support/fake-agent.js";
import { SharedDeployment } from "./support/shared-deployment.js";
import { QUICK, until as untilWithin, World } from "./support/world.js";

type Restore = Extract<AgentRequest, { method: "restoreRoom" }>;
type MigrateOut = Extract<AgentRequest, { method: "migrateOut" }>;
interface Where {
  hostId: string;
  epoch: number;
  state: string;
}
const where = (world: World, roomId: string) => world.get<Where>(`/api/v1/rooms/${roomId}`);
const until = (what: () => boolean | Promise<boolean>): Promise<void> => untilWithin(what, 20_000);
const SAVED = { seq: 1, takenAtMs: 1, data: Buffer.from("saved") };

/** A room at one of two hosts, with a checkpoint. */
async function scene() {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const world = await World.start(["a", "b"], {
    ...{ store, cluster },
    // A source that never answers is given up soon.
    migration: { ...QUICK.migration, deadlineMs: 100 },
  });
  const { roomId, centroid } = await world.join("create", "arena");
  const from = centroid.host.hostId;
  const to = from === "a" ? "b" : "a";
  await kept.putCheckpoint({ roomId, epoch: 1, ...SAVED });
  await until(async () => (await kept.rooms()).length === 1);
  return { world, deployment, kept, roomId, from, to };
}

const roomAt = (roomId: string, epoch: number): FakeRoom => ({
  ...{ roomId, name: "arena", epoch, role: "owner" as const },
  ...{ sessions: new Map(), seats: new Map() },
});

/** Takes whatever is restored to it. */
function restores(agent: FakeAgent): Restore[] {
  const orders: Restore[] = [];
  agent.scripts.set("restoreRoom", (request) => {
    const order = request as Restore;
    orders.push(order);
    agent.rooms.set(order.roomId, roomAt(order.roomId, order.epoch));
    const slot = { processId: `${agent.hostId}-1`, address: agent.address };
    return { ...slot, sessions: [], locked: false, stateHash: "h" };
  });
  return orders;
}

it("a room whose host dies meanwhile is restored once its checkpoint can be read", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  const orders = restores(world.agent(to));
  deployment.away = true;
  world.agent(from).crash();
  await until(() => deployment.failed.includes("records"));
  deployment.away = false;
  await until(async () => (await where(world, roomId)).state === "running");
  expect(await where(world, roomId)).toMatchObject({ hostId: to, epoch: 2 });
  expect(orders).toMatchObject([{ from: { kind: "checkpoint" } }]);
  await until(async () => (await kept.rooms())[0]?.hostId === to);
});

it("a host that lets go of a room that is built again elsewhere does not end it", async () => {
  const { world, roomId, from, to } = await scene();
  await using _ = world;
  const lost = world.agent(from);
  const room = lost.rooms.get(roomId)!;
  const fresh = world.agent(to);
  restores(fresh);
  const restore = fresh.scripts.get("restoreRoom")!;
  fresh.scripts.set("restoreRoom", async (request) => {
    lost.rooms.delete(roomId);
    lost.tell(room, { event: "disposed" });
    // What the same connection says next shows that the broker has read it.
    const other = roomAt("witness", 1);
    lost.tell(other, { event: "running", report: lost.report(other) });
    await until(async () => (await where(world, "witness")).hostId === from);
    return restore(request);
  });
  lost.silence();
  await until(async () => (await where(world, roomId)).epoch === 2);
  expect(await where(world, roomId)).toMatchObject({ hostId: to, state: "running" });
});

it("a room is left to a host that only another broker hears, for as long as it does (OWN-12)", async () => {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const record = { roomId: "room-1", name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...record, hostId: "a", epoch: 1, fencedEpoch: 0 });
  await kept.putCheckpoint({ roomId: "room-1", epoch: 1, ...SAVED });
  deployment.heardAgoMs = 10;
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 50 });
  const orders = restores(await world.host("b"));
  await until(() => deployment.asked > 1);
  expect(orders).toEqual([]);
  deployment.heardAgoMs = undefined;
  await until(async () => (await where(world, "room-1")).state === "running");
  expect(orders).toHaveLength(1);
});

it("a room that another broker builds again is found, whatever this one had begun before", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  const lost = world.agent(from);
  const room = lost.rooms.get(roomId)!;
  lost.rooms.delete(roomId);
  deployment.away = "checkpoint";
  lost.tell(room, { event: "lost", error: { code: "HOST_LOST", message: "room host died" } });
  // It has made sure that the room is not there any more.
  await until(() => deployment.failed.includes("checkpoint"));
  deployment.owns = false;
  const epoch = await kept.nextEpoch(roomId, 1);
  const grants = new RoomGrants(await kept.secret("room-grants", () => "none"));
  const other = world.agent(to);
  const restored = roomAt(roomId, epoch);
  other.rooms.set(roomId, restored);
  other.grants.set(roomId, { epoch, grant: grants.issue({ roomId, hostId: to, epoch }) });
  other.tell(restored, { event: "running", report: other.report(restored) });
  await until(async () => (await where(world, roomId)).state === "running");
  expect(await where(world, roomId)).toMatchObject({ hostId: to, epoch });
});

it("a room that another broker had ordered is taken as it is once its host says that it runs", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  deployment.owns = false;
  world.agent(from).crash();
  await until(async () => (await where(world, roomId)).state === "restoring");
  const epoch = await kept.nextEpoch(roomId, 1);
  const record = { roomId, name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...record, hostId: to, epoch, fencedEpoch: epoch });
  // This broker is to make sure that nobody has it before it orders anything itself.
  deployment.away = "nextEpoch";
  deployment.owns = true;
  await until(() => deployment.failed.includes("nextEpoch"));
  const grants = new RoomGrants(await kept.secret("room-grants", () => "none"));
  const other = world.agent(to);
  const restored = roomAt(roomId, epoch);
  other.rooms.set(roomId, restored);
  other.grants.set(roomId, { epoch, grant: grants.issue({ roomId, hostId: to, epoch }) });
  other.tell(restored, { event: "running", report: other.report(restored) });
  await until(async () => (await where(world, roomId)).state === "running");
  expect(await where(world, roomId)).toMatchObject({ hostId: to, epoch });
  deployment.away = false;
  // Whatever it had begun is over: the room that is lost next is rescued as any other.
  await kept.putCheckpoint({ roomId, epoch, ...SAVED, seq: 2 });
  const third = restores(await world.host("c"));
  other.crash();
  await until(() => third.length > 0);
});

it("a room that is made again under an id whose end was not stored yet is not removed with it", async () => {
  const inner = new MemoryStore();
  let isAway = true;
  const away = new Proxy(inner, {
    get(target, name) {
      if (isAway && name === "removeRoom")
        return () => Promise.reject(new Error("Socket closed unexpectedly"));
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const trials: (() => void)[] = [];
  const clock = { now: () => 1, after: (_ms: number, run: () => void) => void trials.push(run) };
  const options = { inner: away, where: "the store", shared: true, clock, logger: silent };
  const store = new GuardedStore(options as never);
  const record = { roomId: "room-1", name: "arena", carrier: "process", epoch: 2, fencedEpoch: 0 } as const;
  // The first host did not answer in time, the second did.
  await store.removeRoom("room-1");
  await store.removeRoom("room-2");
  await inner.putRoom({ ...record, roomId: "room-2", hostId: "a", createdAtMs: 1 });
  await store.putRoom({ ...record, hostId: "b", createdAtMs: 1 });
  isAway = false;
  while (store.trouble !== undefined) {
    trials.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect((await inner.rooms()).map(({ roomId }) => roomId)).toEqual(["room-1"]);
});

it("all that is on record of a room is removed at once, so that nothing comes in between", () => {
  const sent: string[] = [];
  const never = (name: string) => (key: string) => {
    sent.push(`${name} ${key}`);
    return new Promise(() => undefined);
  };
  const commands = { hDel: never("hDel") };
  const script = ({ keys }: { keys: string[] }): unknown => never("script")(keys[0] ?? "");
  const store = new RedisStore(
    { commands, script, key: (prefix: string, name: string) => prefix + name } as never,
    "",
  );
  void store.removeRoom("room-1");
  expect(sent.sort()).toEqual(["hDel epochs", "hDel rooms", "script checkpoint:room-1"]);
});

it("a move that another broker has ended at its destination is not ended there once more", async () => {
  const plan = { migrationId: "m", roomId: "room-1", fromHostId: "a", toHostId: "b", toEpoch: 2 };
  const told: string[] = [];
  const settle = async (epoch: number): Promise<void> => {
    const stage = { state: "running", hostId: "b" };
    const rooms = { get: () => ({ epoch, stage }) };
    const participants = {
      letGo: (hostId: string) => void told.push(`${hostId} while the owner is at ${epoch}`),
    };
    const resolver = new MoveResolver(
      { rooms } as never,
      participants as never,
      { close: async () => ({}) } as never,
    );
    const cause = new CentroidError("MIGRATION_FAILED", "no answer");
    await resolver.settle({ plan, owned: false } as never, { stage } as never, cause);
  };
  await settle(2);
  await settle(3);
  expect(told).toEqual([
    "a while the owner is at 2",
    "a while the owner is at 3",
    "b while the owner is at 3",
  ]);
});

it("a standby is not passed over because no epoch could be had for it", async () => {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const record = { roomId: "room-1", name: "arena", carrier: "process", createdAtMs: 1 } as const;
  const standby = { standbyId: "standby-1", hostId: "b" };
  await kept.putRoom({ ...record, hostId: "a", epoch: 1, fencedEpoch: 0, standby });
  await kept.putCheckpoint({ roomId: "room-1", epoch: 1, ...SAVED });
  deployment.away = "nextEpoch";
  // Its host does not come back.
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 500 });
  const orders = restores(await world.host("b"));
  await until(() => deployment.failed.length > 0);
  deployment.away = false;
  await until(async () => (await where(world, "room-1")).state === "running");
  expect(orders).toMatchObject([{ from: { kind: "standby", standbyId: "standby-1" } }]);
});

it("a room that was known before its host said hello is restored when that host is lost", async () => {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const record = { roomId: "room-1", name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...record, hostId: "a", epoch: 1, fencedEpoch: 0 });
  await kept.putCheckpoint({ roomId: "room-1", epoch: 1, ...SAVED });
  // Another broker decides when this one starts, and its way to the host is free only later.
  deployment.owns = false;
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 50 });
  await until(async () => (await where(world, "room-1")).state === "restoring");
  restores(await world.host("b"));
  const host = new FakeAgent(world.agentOptions("a"));
  host.rooms.set("room-1", roomAt("room-1", 1));
  await host.connect();
  await until(async () => (await where(world, "room-1")).state === "running");
  deployment.owns = true;
  host.crash();
  await until(async () => (await where(world, "room-1")).epoch > 1);
  expect(await where(world, "room-1")).toMatchObject({ hostId: "b", state: "running" });
});

it("a move ends, and what of it could not be stored is stored afterwards; so is the end of a room", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  const other = await world.join("create", "arena");
  await until(async () => (await kept.rooms()).length === 2);
  const source = world.agent(from);
  source.scripts.set("migrateOut", (request) =>
    source.migrateOut(request as MigrateOut, (step) => {
      if (step === "copied") deployment.away = true;
    }),
  );
  const receipt = await world.move(roomId, to);
  expect(receipt.outcome).toBe("completed");
  const owner = world.agent(other.centroid.host.hostId);
  const ended = owner.rooms.get(other.roomId);
  owner.rooms.delete(other.roomId);
  owner.tell(ended!, { event: "disposed" });
  await until(() => deployment.failed.includes("removeRoom"));
  expect(await kept.openMigrations()).toHaveLength(1);
  await expect(world.move(roomId, from)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE", status: 503 });

  deployment.away = false;
  await until(async () => (await kept.openMigrations()).length === 0);
  await until(async () => (await kept.rooms()).length === 1);
  expect(await kept.rooms()).toMatchObject([{ roomId, hostId: to, epoch: 2 }]);
  expect(await kept.receipts({ limit: 10 })).toEqual([receipt]);
  source.scripts.delete("migrateOut");
  await until(async () => (await world.call("GET", "/readyz")).status === 200);
  expect(await world.move(roomId, from)).toMatchObject({ outcome: "completed" });
});

it("rooms that are taken over are read again and again until the store answers", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  deployment.owns = false;
  const times = { startedAtMs: 1, toEpoch: 2, phase: "copying", reason: "operator" } as const;
  await kept.journal({ migrationId: "move-1", roomId, fromHostId: from, toHostId: to, ...times });
  deployment.away = true;
  deployment.owns = true;
  await until(() => deployment.failed.includes("rooms"));
  deployment.away = false;
  await until(async () => (await kept.openMigrations()).length === 0);
  expect(await kept.receipts({ limit: 1 })).toMatchObject([
    { migrationId: "move-1", outcome: "rolled-back" },
  ]);
  expect(await where(world, roomId)).toMatchObject({ hostId: from, epoch: 1, state: "running" });
});

it("a room that ends while no broker decides about it is removed by the one that does next", async () => {
  const { world, deployment, kept, roomId, from } = await scene();
  await using _ = world;
  deployment.owns = false;
  const agent = world.agent(from);
  const room = agent.rooms.get(roomId);
  agent.rooms.delete(roomId);
  agent.tell(room!, { event: "disposed" });
  await until(async () => (await world.get<unknown[]>("/api/v1/rooms")).length === 0);
  expect(await kept.rooms()).toHaveLength(1);
  deployment.owns = true;
  await until(async () => (await kept.rooms()).length === 0);
  expect(await kept.checkpoint(roomId)).toBeUndefined();
});

/** An order of another broker of this deployment gave the host the room. */
async function orderedElsewhere(
  { kept }: SharedDeployment,
  agent: FakeAgent,
  roomId: string,
  epoch: number,
): Promise<void> {
  const grants = new RoomGrants(await kept.secret("room-grants", () => "none"));
  const room = roomAt(roomId, epoch);
  agent.rooms.set(roomId, room);
  agent.grants.set(roomId, { epoch, grant: grants.issue({ roomId, hostId: agent.hostId, epoch }) });
  agent.tell(room, { event: "running", report: agent.report(room) });
}

it("a broker that does not decide any more follows what another restores, though it had begun itself", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  deployment.away = true;
  world.agent(from).crash();
  await until(() => deployment.failed.includes("records"));
  deployment.owns = false;
  deployment.away = false;
  const orders = restores(world.agent(to));
  await orderedElsewhere(deployment, world.agent(to), roomId, await kept.nextEpoch(roomId, 1));
  await until(async () => (await where(world, roomId)).state === "running");
  deployment.owns = true;
  expect(await where(world, roomId)).toMatchObject({ hostId: to, epoch: 2 });
  expect(orders).toEqual([]);
});

it("a move that another broker ends, and a later one, are followed; no copy of the room stays behind", async () => {
  const { world, deployment, kept, roomId, from, to } = await scene();
  await using _ = world;
  const third = await world.host("c");
  const source = world.agent(from);
  let tellShipped = (): void => undefined;
  const shipped = new Promise<void>((resolve) => {
    tellShipped = resolve;
  });
  source.scripts.set("migrateOut", (request) =>
    source.migrateOut(request as MigrateOut, async (step) => {
      if (step !== "shipped") return;
      tellShipped();
      await new Promise(() => undefined);
    }),
  );
  const move = world.move(roomId, to).catch((cause: unknown) => cause);
  await shipped;
  deployment.owns = false;
  // The other broker calls it off at the source and moves the room to the third host.
  source.rooms.delete(roomId);
  const epoch = await kept.nextEpoch(roomId, 2);
  await orderedElsewhere(deployment, third, roomId, epoch);
  await until(async () => (await where(world, roomId)).hostId === "c");
  expect(await where(world, roomId)).toMatchObject({ epoch, state: "running" });
  await until(() => !world.agent(to).rooms.has(roomId));
  await move;
  expect(await where(world, roomId)).toMatchObject({ hostId: "c", epoch, state: "running" });
  expect(third.rooms.has(roomId)).toBe(true);
});

it("waits for a host that another broker asked to build the room after this one had read what was on record (FAIL-6)", async () => {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const roomId = "room-1";
  const facts = { roomId, name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...facts, hostId: "a", epoch: 1, fencedEpoch: 0 });
  await kept.putCheckpoint({ roomId, epoch: 1, ...SAVED });
  await using world = await World.start([], { store, cluster });
  await kept.putRoom({ ...facts, hostId: "b", epoch: await kept.nextEpoch(roomId, 1), fencedEpoch: 2 });
  // The other broker is in contact with that one; this one is not yet.
  deployment.heardAgoMs = 0;
  const [a, b] = [new FakeAgent(world.agentOptions("a")), new FakeAgent(world.agentOptions("b"))];
  for (const host of [a, b]) restores(host);
  await a.connect();
  await until(() => deployment.asked > 2);
  const grants = new RoomGrants(await kept.secret("room-grants", () => "none"));
  b.rooms.set(roomId, roomAt(roomId, 2));
  b.grants.set(roomId, { epoch: 2, grant: grants.issue({ roomId, hostId: "b", epoch: 2 }) });
  await b.connect();
  await until(async () => (await where(world, roomId)).state === "running");
  expect(await where(world, roomId)).toMatchObject({ hostId: "b", epoch: 2 });
  expect([a, b].flatMap(({ requests }) => requests.map(({ method }) => method))).not.toContain("restoreRoom");
  expect(b.rooms.has(roomId)).toBe(true);
});

it("does not take the end of a copy that another broker had given away for the end of the room (OWN-12)", async () => {
  const deployment = new SharedDeployment();
  const { store, cluster, kept } = deployment;
  const roomId = "room-1";
  const facts = { roomId, name: "arena", carrier: "process", createdAtMs: 1 } as const;
  await kept.putRoom({ ...facts, hostId: "a", epoch: 1, fencedEpoch: 0 });
  await kept.putCheckpoint({ roomId, epoch: 1, ...SAVED });
  await using world = await World.start([], { store, cluster });
  // Nobody hears of that host, nor will it come.
  await kept.putRoom({ ...facts, hostId: "b", epoch: await kept.nextEpoch(roomId, 1), fencedEpoch: 2 });
  deployment.heardAgoMs = undefined;
  const a = new FakeAgent(world.agentOptions("a"));
  const copy = roomAt(roomId, 1);
  a.rooms.set(roomId, copy);
  a.scripts.set("disposeRoom", () => {
    if (a.rooms.get(roomId) === copy && a.rooms.delete(roomId)) a.tell(copy, { event: "disposed" });
    return {};
  });
  const orders = restores(a);
  await a.connect();
  await until(async () => ((await kept.rooms())[0]?.epoch ?? 0) > 2);
  await until(async () => (await where(world, roomId)).state === "running");
  expect(orders).toMatchObject([{ from: { kind: "checkpoint" } }]);
  expect(a.rooms.get(roomId)?.epoch).toBe(orders[0]!.epoch);
});
