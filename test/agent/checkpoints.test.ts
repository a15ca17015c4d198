/** To which of several brokers an agent gives what it has saved of a room. */
import { type AgentRequest, type RoomCheckpoint, shardOf } from "@centroid/protocol";
import { expect, it } from "vitest";
import { Agent } from "../../infra/agent/dist/agent.js";
import type { Carrier, CarrierEvents } from "../../infra/agent/dist/carrier/carrier.js";
import { agentConfigSchema } from "../../infra/agent/dist/config.js";
import { FakeBroker, TOKEN } from "./fake-broker.js";

const roomId = "room";

/** One that does nothing but know which rooms it has. */
function carrierWith(rooms: Set<string>, unsaved: Carrier["unsaved"]): Carrier {
  const handle = async (request: AgentRequest) => {
    if (request.method === "migrateIn") rooms.add(request.roomId);
    if (request.method === "migrateOut") rooms.delete(request.roomId);
    return {} as never;
  };
  const nothing = (): void => undefined;
  return {
    ...{ kind: "process", handle, has: (id) => rooms.has(id), reports: async () => [] },
    ...{
      warmUp: nothing,
      checkpointed: nothing,
      unsaved,
      measure: nothing,
      renewLease: nothing,
      published: nothing,
    },
    usage: () => ({ cpuMicros: 0, rssBytes: 0 }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

interface Meeting extends AsyncDisposable {
  save: (epoch: number, seq: number) => void;
  /** Saves that the room was told nobody keeps. */
  unsaved: number[];
}

/** An agent with the room, which both brokers have welcomed. */
async function meet(one: FakeBroker, other: FakeBroker, welcomes: [object, object]): Promise<Meeting> {
  const rooms = new Set([roomId]);
  const unsaved: number[] = [];
  let events: CarrierEvents | undefined;
  const nothing = (): void => undefined;
  const agent = new Agent({
    config: agentConfigSchema.parse({
      ...{ brokerUrls: [one.url, other.url], token: TOKEN, hostId: "host", name: "Host" },
      ...{ latitude: 0, longitude: 0, roomsBundle: "none" },
    }),
    carriers: (given) => {
      events = given;
      return [carrierWith(rooms, (_roomId, _epoch, seq) => unsaved.push(seq))];
    },
    ...{ notice: nothing, onRefused: nothing, onConnected: nothing, onBroker: nothing },
  });
  const begun = Promise.all([one.accept(), other.accept()]);
  await agent.start();
  await begun;
  for (const [index, broker] of [one, other].entries()) {
    await broker.said(({ type }) => type === "hello");
    broker.welcome(welcomes[index]);
    await broker.said(({ type }) => type === "heartbeat");
  }
  return {
    unsaved,
    save: (epoch, seq) => {
      const saved: RoomCheckpoint = { type: "checkpoint", roomId, epoch, seq, takenAtMs: 1, data: "" };
      events?.checkpoint(saved);
    },
    [Symbol.asyncDispose]: () => agent[Symbol.asyncDispose](),
  };
}

const saved = (broker: FakeBroker) => broker.said(({ type }) => type === "checkpoint");

it("all of them when a room comes back: which one keeps it may have changed since it left", async () => {
  await using one = await FakeBroker.listen();
  await using other = await FakeBroker.listen();
  await using met = await meet(one, other, [{}, {}]);
  met.save(1, 1);
  for (const broker of [one, other]) expect(await saved(broker)).toMatchObject({ epoch: 1, seq: 1 });
  one.checkpointed(roomId, 1, 1);
  const destination = { hostId: "b", name: "B", latitude: 0, longitude: 0, processId: "p", ticket: "t" };
  const move = { migrationId: "m", roomId, epoch: 2 };
  await one.order({
    ...{ method: "migrateOut", mechanism: "handoff", deadlineMs: 1_000, ...move },
    destination: { ...destination, transferUrl: "ws://127.0.0.1:1", addresses: {} },
  });
  await one.order({ method: "migrateIn", name: "ledger", carrier: "process", ...move, epoch: 3 });
  met.save(3, 1);
  expect(await saved(other)).toMatchObject({ epoch: 3, seq: 1 });
});

it("whoever begins to decide about its room while nobody has confirmed it", async () => {
  await using one = await FakeBroker.listen();
  await using other = await FakeBroker.listen();
  const shards = [shardOf(roomId)];
  await using met = await meet(one, other, [
    { counts: true, shards },
    { counts: true, shards: [] },
  ]);
  met.save(1, 1);
  for (const broker of [one, other]) expect(await saved(broker)).toMatchObject({ seq: 1 });
  one.checkpointed(roomId, 1, 1);
  await one.order({ method: "abortMigration", migrationId: "m", roomId });
  // It goes to its keeper only, which does not decide any more.
  met.save(1, 2);
  expect(await saved(one)).toMatchObject({ seq: 2 });
  other.decides(shards);
  expect(await saved(other)).toMatchObject({ seq: 2 });
  other.checkpointed(roomId, 1, 2);
  await other.order({ method: "abortMigration", migrationId: "m", roomId });
  // What is confirmed need not go to the next one.
  one.decides([]);
  one.decides(shards);
  one.begin({ method: "abortMigration", migrationId: "m", roomId });
  expect((await one.said(({ type }) => type === "checkpoint" || type === "reply")).type).toBe("reply");
  met.save(1, 3);
  expect(await saved(one)).toMatchObject({ seq: 3 });
  // One that comes back hears with its welcome that nobody has it.
  const back = one.accept();
  one.drop();
  await back;
  await one.said(({ type }) => type === "hello");
  one.welcome({ counts: true, shards });
  expect(await saved(one)).toMatchObject({ seq: 3 });
});

it("the other one once its keeper refuses it, and the room hears when none keeps it", async () => {
  await using one = await FakeBroker.listen();
  await using other = await FakeBroker.listen();
  await using met = await meet(one, other, [{}, {}]);
  met.save(1, 1);
  for (const broker of [one, other]) expect(await saved(broker)).toMatchObject({ seq: 1 });
  one.unsaved(roomId, 1, 1);
  other.checkpointed(roomId, 1, 1);
  await other.order({ method: "abortMigration", migrationId: "m", roomId });
  met.save(1, 2);
  expect(await saved(other)).toMatchObject({ seq: 2 });
  other.unsaved(roomId, 1, 2);
  expect(await saved(one)).toMatchObject({ seq: 2 });
  // Of one that is over nothing has to be done.
  one.unsaved(roomId, 1, 1);
  one.unsaved(roomId, 1, 2);
  await one.order({ method: "abortMigration", migrationId: "m", roomId });
  expect(met.unsaved).toEqual([2]);
});
