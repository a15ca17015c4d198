/** The destination says that it has the room, and the broker fails at taking that in. */
import { expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { Migrator } from "../../server/broker/dist/moves/migrator.js";

it("is logged, and the move ends as it would have", async () => {
  const nothing = (): void => undefined;
  const failures: { cause: Error }[] = [];
  const events = new Emitter<{ "move.reported": object }>();
  const host = (hostId: string, request: (order: { method: string }) => Promise<object>) => ({
    facts: {
      hostId,
      name: hostId,
      latitude: 0,
      longitude: 0,
      carriers: ["process"],
      roomTypes: [],
      capacityRooms: 9,
    },
    ...{ stage: { state: "active" }, roomIds: new Set(), peer: { request, send: nothing } },
  });
  const hosts = {
    // It ends once the broker has failed at what its destination says.
    a: host("a", async ({ method }) => {
      if (method !== "migrateOut") return {};
      events.emit("move.reported", { hostId: "b", change: { event: "owned", migrationId: "move" } });
      await expect.poll(() => failures.length).toBe(1);
      return { bytes: 1 };
    }),
    b: host("b", async () => ({ processId: "p", address: "b:1", transferUrl: "ws://b:1", ticket: "t" })),
  };
  const room = {
    ...{
      roomId: "room",
      name: "arena",
      carrier: "process",
      epoch: 1,
      fencedEpoch: 1,
      sessions: new Map(),
      players: 0,
    },
    stage: { state: "running", hostId: "a", migrationId: "" },
  };
  let commits = 0;
  const apply = (_: unknown, { type }: { type: string }): void => {
    if (type === "move") room.stage = { state: "migrating", hostId: "a", migrationId: "move" };
    if (type !== "committed") return;
    if (++commits === 1) throw new Error("a listener failed");
    room.stage = { state: "running", hostId: "b", migrationId: "" };
  };
  const migrator = new Migrator({
    hosts: { get: (id: "a" | "b") => hosts[id], require: (id: "a" | "b") => hosts[id] },
    rooms: { get: () => room, require: () => room, apply, offer: nothing },
    records: { put: async () => undefined },
    store: {
      nextEpoch: async () => 2,
      journal: async () => undefined,
      closeMigration: async () => undefined,
    },
    clock: { now: () => performance.now(), after: () => nothing },
    ...{ newId: () => "move", events, addresses: { translate: (address: string) => address } },
    ...{ times: {}, assertWritable: nothing, beforeMove: async () => undefined, waysOf: () => [] },
    ...{
      farewell: { mayRun: () => false },
      logger: { error: (about: { cause: Error }) => failures.push(about) },
    },
  } as never);
  const receipt = await migrator.move("room", "b", "operator");
  expect(receipt).toMatchObject({ outcome: "completed", toHostId: "b" });
  expect(failures.map(({ cause }) => cause.message)).toEqual(["a listener failed"]);
  expect(room.stage).toMatchObject({ state: "running", hostId: "b" });
});
