/** The room on real hosts, moved while two players are in it. */
import { CentroidClient, type MigrateEvent } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ArenaState } from "../shared/state.js";

let system: TestSystem;
beforeAll(async () => {
  system = await startTestSystem({ rooms: "rooms", hosts: ["paris", "tokyo"] });
});
afterAll(() => system[Symbol.asyncDispose]());

it("players see each other walk, also while the room moves", async () => {
  const join = () => new CentroidClient(system.url).joinOrCreate<ArenaState>("arena");
  const ana = await join();
  const ben = await join();
  expect(ben.roomId).toBe(ana.roomId);
  const seenByBen = () => ben.state.players.get(ana.sessionId)?.toJSON();

  ana.send("walk", { x: 0.5, y: -7 });
  await expect.poll(seenByBen).toMatchObject({ x: 0.5, y: -1 });
  ana.send("walk", "nowhere");

  const moved = new Promise<MigrateEvent>((resolve) => ben.onMigrate(resolve));
  const receipt = await system.move(ana.roomId, ana.host.hostId === "paris" ? "tokyo" : "paris");
  ana.send("walk", { x: 0.25, y: 0.75 });
  expect(receipt).toMatchObject({ outcome: "completed", messagesLost: 0, messagesDuplicated: 0 });
  expect(receipt.stateHashAfter).toBe(receipt.stateHashBefore);
  expect(await moved).toMatchObject({ lost: 0, duplicated: 0, to: { hostId: receipt.toHostId } });
  await expect.poll(seenByBen).toMatchObject({ x: 0.25, y: 0.75 });
  expect(ana.host.hostId).toBe(receipt.toHostId);
});
