/**
 * Another broker decides about a room meanwhile, or decided before: this one follows what it finds, and no room is given up
 * or built twice because of it.
 */
import { CentroidError } from "@centroid/protocol";
import { expect, it } from "vitest";
import { RoomGrants } from "../../server/broker/dist/hosts/room-grants.js";
import { MoveResolver } from "../../server/broker/dist/moves/move-resolver.js";
import { FakeAgent } from "./support/fake-agent.js";
import {
  type MigrateOut,
  orderedElsewhere,
  restores,
  roomAt,
  roomOnRecord,
  SAVED,
  scene,
  where,
} from "./support/shared-scene.js";
import { until, World } from "./support/world.js";

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
  const { deployment, store, cluster, roomId } = await roomOnRecord();
  deployment.heardAgoMs = 10;
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 50 });
  const orders = restores(await world.host("b"));
  await until(() => deployment.asked > 1);
  expect(orders).toEqual([]);
  deployment.heardAgoMs = undefined;
  await until(async () => (await where(world, roomId)).state === "running");
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
  await orderedElsewhere(deployment, world.agent(to), roomId, epoch);
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
  const other = world.agent(to);
  await orderedElsewhere(deployment, other, roomId, epoch);
  await until(async () => (await where(world, roomId)).state === "running");
  expect(await where(world, roomId)).toMatchObject({ hostId: to, epoch });
  deployment.away = false;
  // Whatever it had begun is over: the room that is lost next is rescued as any other.
  await kept.putCheckpoint({ roomId, epoch, ...SAVED, seq: 2 });
  const third = restores(await world.host("c"));
  other.crash();
  await until(() => third.length > 0);
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

it("a room that was known before its host said hello is restored when that host is lost", async () => {
  const { deployment, store, cluster, roomId } = await roomOnRecord();
  // Another broker decides when this one starts, and its way to the host is free only later.
  deployment.owns = false;
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 50 });
  await until(async () => (await where(world, roomId)).state === "restoring");
  restores(await world.host("b"));
  const host = new FakeAgent(world.agentOptions("a"));
  host.rooms.set(roomId, roomAt(roomId, 1));
  await host.connect();
  await until(async () => (await where(world, roomId)).state === "running");
  deployment.owns = true;
  host.crash();
  await until(async () => (await where(world, roomId)).epoch > 1);
  expect(await where(world, roomId)).toMatchObject({ hostId: "b", state: "running" });
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
  const { deployment, store, cluster, kept, roomId, facts } = await roomOnRecord();
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
  const { deployment, store, cluster, kept, roomId, facts } = await roomOnRecord();
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
