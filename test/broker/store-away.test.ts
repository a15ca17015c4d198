/**
 * A store that several brokers share does not answer for a while: whatever was under way is finished afterwards, and
 * nothing is given up because of it.
 */
import { MemoryStore, RedisStore } from "@centroid/broker";
import { expect, it } from "vitest";
import { GuardedStore } from "../../server/broker/dist/store/guarded-store.js";
import { type MigrateOut, restores, roomOnRecord, scene, where } from "./support/shared-scene.js";
import { until, World } from "./support/world.js";

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

it("a standby is not passed over because no epoch could be had for it", async () => {
  const standby = { standbyId: "standby-1", hostId: "b" };
  const { deployment, store, cluster, roomId } = await roomOnRecord({ standby });
  deployment.away = "nextEpoch";
  // Its host does not come back.
  await using world = await World.start([], { store, cluster, rejoinGraceMs: 500 });
  const orders = restores(await world.host("b"));
  await until(() => deployment.failed.length > 0);
  deployment.away = false;
  await until(async () => (await where(world, roomId)).state === "running");
  expect(orders).toMatchObject([{ from: { kind: "standby", standbyId: "standby-1" } }]);
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
