/** A stock Colyseus client behind a gateway: whatever becomes of hosts and brokers, it sees one connection. */
import type { Receipt, Room } from "@centroid/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../broker/support/world.js";
import { GatewayWorld, PATIENCE_MS, StockPlayer } from "./support.js";

let world: GatewayWorld;
beforeAll(async () => {
  world = await GatewayWorld.start();
}, 60_000);
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

it("stays through moves in a loop: nothing lost, doubled or out of order, in either direction", async () => {
  const { url } = await world.gateway();
  const [ada, bob] = [await StockPlayer.join(url), await StockPlayer.join(url)];
  expect(ada.room.roomId).toBe(bob.room.roomId);
  for (const player of [ada, bob]) player.talk();
  for (let move = 0; move < 6; move++) await world.moveAway(ada.room.roomId);
  for (const player of [ada, bob]) {
    player.hush();
    await player.heard();
    expect(player.entry).toMatchObject({ count: player.sent, disorder: 0, connected: true });
    expect([player.drops, player.reconnects, player.left, player.disorder]).toEqual([0, 0, [], 0]);
    expect(player.shots).toBeGreaterThan(8);
    await player.room.leave();
  }
}, 90_000);

it("stays through the death of its room's host, and what it says meanwhile is held", async () => {
  const { url } = await world.gateway();
  const player = await StockPlayer.join(url);
  const { roomId } = player.room;
  player.talk();
  for (let death = 1; death <= 2; death++) {
    // Once it is saved, a while after it began to talk.
    const at = player.room.state.tick;
    await until(() => player.room.state.tick > at + 30, PATIENCE_MS);
    const before = await world.placeOf(roomId);
    await world.killProcessOf(roomId);
    const count = player.sent;
    await until(async () => (await world.placeOf(roomId))?.processId !== before?.processId, PATIENCE_MS);
    await until(() => (player.entry?.last ?? 0) > count, PATIENCE_MS);
  }
  player.hush();
  await player.heard();
  expect(player.entry).toMatchObject({ count: player.sent, disorder: 0, connected: true });
  expect([player.drops, player.reconnects, player.left]).toEqual([0, 0, []]);
  await player.room.leave();
}, 90_000);

it("stays when its room moves to its warm standby, and when the next one takes over, with all that it said", async () => {
  const { url } = await world.gateway();
  const player = await StockPlayer.join(url, {}, "vault");
  const { roomId } = player.room;
  const roomAt = () => world.system.get<Room>(`/api/v1/rooms/${roomId}`);
  player.talk();
  await until(async () => (await roomAt()).standbyHostId !== undefined, PATIENCE_MS);
  // First it moves there, and then that host dies.
  const { standbyHostId: next } = await roomAt();
  const { body } = await world.system.post(`/rooms/${roomId}/move`, { hostId: next });
  expect(body).toMatchObject({ outcome: "completed", promoted: true });
  await until(async () => ![undefined, next].includes((await roomAt()).standbyHostId), PATIENCE_MS);
  const { standbyHostId } = await roomAt();
  await world.killProcessOf(roomId);
  const count = player.sent;
  await until(() => (player.entry?.last ?? 0) > count, PATIENCE_MS);
  player.hush();
  await player.heard();
  const [receipt] = await world.system.get<Receipt[]>(`/api/v1/receipts?roomId=${roomId}`);
  expect(receipt).toMatchObject({ mechanism: "standby", toHostId: standbyHostId, outcome: "completed" });
  expect(player.entry).toMatchObject({ count: player.sent, disorder: 0, connected: true });
  expect([player.drops, player.reconnects, player.left]).toEqual([0, 0, []]);
  await player.room.leave();
}, 90_000);

it("stays through a broker's restart, and its room moves afterwards", async () => {
  const { url } = await world.gateway();
  const player = await StockPlayer.join(url);
  player.talk();
  const { port } = world.system.broker;
  await world.system.stopBroker();
  const meanwhile = player.sent;
  await until(() => player.sent > meanwhile + 30 && player.entry?.last === player.sent, PATIENCE_MS);
  // Whoever joins just now waits.
  const joining = StockPlayer.join(url);
  await world.system.startBroker(port);
  await world.system.broker.ready;
  await (await joining).room.leave();
  await world.moveAway(player.room.roomId);
  await player.leaveWhole();
}, 90_000);

it("comes back by its own reconnection when its gateway is drained, to the next one at that address", async () => {
  const first = await world.gateway();
  const player = await StockPlayer.join(first.url);
  player.room.send("say", ++player.sent);
  await player.heard();
  const { port } = first;
  await first[Symbol.asyncDispose]();
  await world.gateway(port);
  await until(() => player.reconnects === 1, PATIENCE_MS);
  player.room.send("say", ++player.sent);
  await player.heard();
  expect(player.entry).toMatchObject({ count: 2, disorder: 0 });
  expect(player.left).toEqual([]);
  await player.room.leave();
}, 90_000);
