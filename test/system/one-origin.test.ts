/** Everything through one public origin: players join over TLS, their room moves, and nothing is lost. */
import { CentroidClient } from "@centroid/sdk";
import { Client } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { until } from "../broker/support/world.js";
import type { LedgerRoom } from "../support/ledger.js";
import { LiveSystem } from "../support/live-system.js";
import { TlsFront } from "../support/tls-front.js";

const unchecked = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
let system: LiveSystem;
let front: TlsFront;
beforeAll(async () => {
  // The authority is this test's own.
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  system = await LiveSystem.start({ autoMove: false });
  front = await TlsFront.start(system.broker.url);
}, 60_000);
afterAll(async () => {
  await front[Symbol.asyncDispose]();
  await system[Symbol.asyncDispose]();
  if (unchecked === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  else process.env.NODE_TLS_REJECT_UNAUTHORIZED = unchecked;
});

const elsewhere = (hostId: string): string => (hostId === "virginia" ? "tokyo" : "virginia");

it("keeps an SDK player through moves, exactly once and in order", async () => {
  const client = new CentroidClient(front.url, { probing: { intervalMs: 300 } });
  const room = (await client.joinOrCreate("ledger")) as LedgerRoom;
  const moves: { lost: number; duplicated: number }[] = [];
  room.onMigrate((move) => moves.push(move));
  let sent = 0;
  const timer = setInterval(() => room.send("say", ++sent), 10);
  for (let move = 1; move <= 3; move++) {
    const { body } = await system.post(`/rooms/${room.roomId}/move`, { hostId: elsewhere(room.host.hostId) });
    expect(body).toMatchObject({ outcome: "completed", messagesLost: 0, messagesDuplicated: 0 });
    await until(() => moves.length === move);
  }
  clearInterval(timer);
  const entry = () => room.state.entries.get(room.sessionId);
  await until(() => entry()?.last === sent);
  expect(entry()).toMatchObject({ count: sent, disorder: 0, connected: true });
  expect(moves.every(({ lost, duplicated }) => lost + duplicated === 0)).toBe(true);
  // Beacons are measured by the same way.
  await until(() => room.stats !== undefined && !Number.isNaN(room.pingMs));
  await room.leave();
  client.dispose();
}, 90_000);

it("takes a stock client in, keeps it through a move, and lets it come back by its old URL", async () => {
  const stock = new Client(front.url);
  const room = await stock.joinOrCreate<{ entries: Map<string, { last: number }> }>("ledger");
  room.reconnection.minUptime = 0;
  room.send("say", 1);
  const last = () => room.state.entries?.get(room.sessionId)?.last;
  await until(() => last() === 1);
  const from = (await system.rooms()).find(({ roomId }) => roomId === room.roomId)!.hostId;
  const { body } = await system.post(`/rooms/${room.roomId}/move`, { hostId: elsewhere(from) });
  expect(body).toMatchObject({ outcome: "completed" });
  room.send("say", 2);
  await until(() => last() === 2);
  // The process in its URL has not got the room any more.
  const back = new Promise((resolve) => room.onReconnect(() => resolve(true)));
  (room.connection.transport as unknown as { ws: WebSocket }).ws.close(4010);
  expect(await back).toBe(true);
  room.send("say", 3);
  await until(() => last() === 3);
  await room.leave();
}, 90_000);
