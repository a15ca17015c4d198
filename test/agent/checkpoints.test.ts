/** To which of several brokers an agent gives what it has saved of a room. */
import type { AgentRequest, RoomCheckpoint } from "@centroid/protocol";
import { expect, it } from "vitest";
import { Agent } from "../../infra/agent/dist/agent.js";
import type { Carrier, CarrierEvents } from "../../infra/agent/dist/carrier/carrier.js";
import { agentConfigSchema } from "../../infra/agent/dist/config.js";
import { FakeBroker, TOKEN } from "./fake-broker.js";

const roomId = "room";

/** One that does nothing but know which rooms it has. */
function carrierWith(rooms: Set<string>): Carrier {
  const handle = async (request: AgentRequest) => {
    if (request.method === "migrateIn") rooms.add(request.roomId);
    if (request.method === "migrateOut") rooms.delete(request.roomId);
    return {} as never;
  };
  const nothing = (): void => undefined;
  return {
    ...{ kind: "process", handle, has: (id) => rooms.has(id), reports: async () => [] },
    ...{ warmUp: nothing, checkpointed: nothing, measure: nothing, renewLease: nothing, published: nothing },
    usage: () => ({ cpuMicros: 0, rssBytes: 0 }),
    [Symbol.asyncDispose]: async () => undefined,
  };
}

it("all of them when a room comes back: which one keeps it may have changed since it left", async () => {
  await using one = await FakeBroker.listen();
  await using other = await FakeBroker.listen();
  const rooms = new Set([roomId]);
  let events: CarrierEvents | undefined;
  const nothing = (): void => undefined;
  await using agent = new Agent({
    config: agentConfigSchema.parse({
      ...{ brokerUrls: [one.url, other.url], token: TOKEN, hostId: "host", name: "Host" },
      ...{ latitude: 0, longitude: 0, roomsBundle: "none" },
    }),
    carriers: (given) => {
      events = given;
      return [carrierWith(rooms)];
    },
    ...{ notice: nothing, onRefused: nothing, onConnected: nothing, onBroker: nothing },
  });
  const save = (epoch: number, seq: number): void => {
    const saved: RoomCheckpoint = { type: "checkpoint", roomId, epoch, seq, takenAtMs: 1, data: "" };
    events?.checkpoint(saved);
  };
  const begun = Promise.all([one.accept(), other.accept()]);
  await agent.start();
  await begun;
  for (const broker of [one, other]) {
    await broker.said(({ type }) => type === "hello");
    broker.welcome();
    await broker.said(({ type }) => type === "heartbeat");
  }
  save(1, 1);
  for (const broker of [one, other])
    expect(await broker.said(({ type }) => type === "checkpoint")).toMatchObject({ epoch: 1, seq: 1 });
  one.checkpointed(roomId, 1, 1);
  const destination = { hostId: "b", name: "B", latitude: 0, longitude: 0, processId: "p", ticket: "t" };
  const move = { migrationId: "m", roomId, epoch: 2 };
  await one.order({
    ...{ method: "migrateOut", mechanism: "handoff", deadlineMs: 1_000, ...move },
    destination: { ...destination, transferUrl: "ws://127.0.0.1:1", addresses: {} },
  });
  await one.order({ method: "migrateIn", name: "ledger", carrier: "process", ...move, epoch: 3 });
  save(3, 1);
  expect(await other.said(({ type }) => type === "checkpoint")).toMatchObject({ epoch: 3, seq: 1 });
});
