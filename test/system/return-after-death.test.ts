/** What becomes of those who are in a room when its host's process dies: any SDK, present or absent, busy or not. */
import { once } from "node:events";
import { join } from "node:path";
import {
  CONTROL_QUERY,
  decodeServerControl,
  isControl,
  RESTORE_QUERY,
  type ServerControl,
} from "@centroid/protocol";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import type { LedgerState } from "../support/ledger.js";
import { descendants, listener } from "../support/processes.js";

const HOSTS = ["a", "b"];
let ledgers: TestSystem;
let handlers: TestSystem;
beforeAll(async () => {
  const fixtures = join(import.meta.dirname, "../fixtures");
  ledgers = await startTestSystem({ rooms: join(fixtures, "rooms"), hosts: HOSTS });
  handlers = await startTestSystem({ rooms: join(fixtures, "handler-rooms"), hosts: HOSTS });
}, 60_000);
afterAll(async () => {
  await ledgers[Symbol.asyncDispose]();
  await handlers[Symbol.asyncDispose]();
});

interface Place {
  hostId: string;
  /** Port on which the room's process serves players. */
  port: number;
}
const placeOf = async ({ url }: TestSystem, roomId: string): Promise<Place | undefined> => {
  const answer = await fetch(`${url}/centroid/v1/where/${roomId}`);
  if (!answer.ok) return undefined;
  const { host, publicAddress } = (await answer.json()) as { host: Place; publicAddress: string };
  return { hostId: host.hostId, port: Number(publicAddress.split(":").at(-1)) };
};
/** Kills the process that the room runs in, and nothing else. */
const killProcessOf = async (system: TestSystem, roomId: string): Promise<void> => {
  const place = await placeOf(system, roomId);
  process.kill(listener(descendants(process.pid), place!.port)!, "SIGKILL");
};
const other = async (system: TestSystem, roomId: string): Promise<string> => {
  const place = await placeOf(system, roomId);
  return HOSTS.find((hostId) => hostId !== place!.hostId)!;
};
/** So many more ticks of 50 ms, in which the room is saved: it is once a second. */
const ticks = async ({ state }: { state: LedgerState }, more = 60): Promise<void> => {
  const until = state.tick + more;
  await expect.poll(() => state.tick, { timeout: 30_000 }).toBeGreaterThan(until);
};
const countOf = (room: { state: LedgerState }, sessionId: string): number | undefined =>
  room.state.entries.get(sessionId)?.count;
/** At the host's own address: a gateway would keep the player through everything. */
const createDirectly = async (client: Client, name: string): Promise<Room<unknown, LedgerState>> => {
  const { data } = await client.http.post(`/matchmake/create/${name}`, { body: {} });
  const seat = data as { roomId: string };
  const { publicAddress } = (await (
    await fetch(`${ledgers.url}/centroid/v1/where/${seat.roomId}`)
  ).json()) as { publicAddress: string };
  return client.consumeSeatReservation({ ...seat, publicAddress } as never);
};
const quiet = (room: Pick<Room, "onMessage">): void => {
  room.onMessage("shot", () => undefined);
};

it("a stock Colyseus client comes back to its session in a restored room, which waited for it (FAIL-4)", async () => {
  const client = new Client(ledgers.url);
  let room = await createDirectly(client, "ledger");
  const { sessionId, roomId } = room;
  quiet(room);
  room.reconnection.enabled = false;
  for (let n = 1; n <= 20; n++) room.send("say", n);
  await expect.poll(() => countOf(room, sessionId)).toBe(20);
  // Until what it said is saved: it keeps nothing itself.
  await ticks(room);
  const left = new Promise<number>((resolve) => void room.onLeave(resolve));
  await killProcessOf(ledgers, roomId);
  await left;
  const token = room.reconnectionToken;
  await expect
    .poll(
      async () => {
        const back = await client.reconnect<LedgerState>(token).catch(() => undefined);
        if (back !== undefined) room = back as never;
        return back !== undefined;
      },
      { timeout: 30_000, interval: 300 },
    )
    .toBe(true);
  quiet(room);
  expect([room.roomId, room.sessionId]).toEqual([roomId, sessionId]);
  await expect.poll(() => countOf(room, sessionId)).toBe(20);
  room.send("say", 21);
  await expect.poll(() => countOf(room, sessionId)).toBe(21);
  expect(room.reconnectionToken).not.toBe(token);
  await room.leave();
}, 60_000);

it("a room with an absent player after its host's death is saved, and moves, and goes on waiting", async () => {
  const ada = (await new CentroidClient(ledgers.url, { probing: false }).create<LedgerState>(
    "ledger",
  )) as CentroidRoom<LedgerState>;
  const stock = new Client(ledgers.url);
  const bob = (await stock.joinById(ada.roomId)) as Room<unknown, LedgerState>;
  for (const room of [ada, bob]) quiet(room);
  bob.reconnection.enabled = false;
  const token = bob.reconnectionToken;
  ada.send("say", 1);
  await expect.poll(() => countOf(ada, ada.sessionId)).toBe(1);
  await ticks(ada);
  const restored = new Promise((resolve) => void ada.onMigrate(resolve));
  await killProcessOf(ledgers, ada.roomId);
  expect(await restored).toMatchObject({ restored: true, lost: 0 });
  // Bob is away. Cora joins, Ada goes on; all that is to survive the next death.
  const cora = (await new CentroidClient(ledgers.url, { probing: false }).joinById<LedgerState>(
    ada.roomId,
  )) as CentroidRoom<LedgerState>;
  quiet(cora);
  const left: number[] = [];
  cora.onLeave((code) => void left.push(code));
  cora.send("say", 1);
  await expect.poll(() => countOf(ada, cora.sessionId)).toBe(1);
  const moved = await ledgers.move(ada.roomId, await other(ledgers, ada.roomId));
  expect(moved).toMatchObject({ outcome: "completed", messagesLost: 0 });
  const again = new Promise((resolve) => void ada.onMigrate((event) => event.restored && resolve(event)));
  await ticks(ada);
  await killProcessOf(ledgers, ada.roomId);
  expect(await again).toMatchObject({ restored: true, lost: 0 });
  await expect.poll(() => countOf(ada, cora.sessionId)).toBe(1);
  cora.send("say", 2);
  await expect.poll(() => countOf(ada, cora.sessionId)).toBe(2);
  expect(left).toEqual([]);
  // He has his seat still.
  const back = (await stock.reconnect<LedgerState>(token)) as Room<unknown, LedgerState>;
  quiet(back);
  expect(back.sessionId).toBe(bob.sessionId);
  await Promise.all([ada, cora, back].map((room) => room.leave()));
}, 90_000);

/** A connection of Centroid's SDK, frame by frame. @returns the control frames and how many others came */
async function dial(
  system: TestSystem,
  roomId: string,
  query: Record<string, string>,
): Promise<{ socket: WebSocket; heard: ServerControl[]; data: Buffer[] }> {
  const { publicAddress, processId } = (await (
    await fetch(`${system.url}/centroid/v1/where/${roomId}`)
  ).json()) as Record<string, string>;
  const search = new URLSearchParams({ ...query, [CONTROL_QUERY]: "1" });
  const socket = new WebSocket(`ws://${publicAddress}/${processId}/${roomId}?${search}`);
  const connection = { socket, heard: [] as ServerControl[], data: [] as Buffer[] };
  socket.on("error", () => undefined);
  socket.on("message", (frame: Buffer) => {
    if (isControl(frame)) connection.heard.push(decodeServerControl(frame));
    else connection.data.push(frame);
  });
  await once(socket, "open");
  return connection;
}

it("a player whose first connection to the restored room breaks before it has said anything is taken back all the same", async () => {
  const ada = (await new CentroidClient(ledgers.url, { probing: false }).create<LedgerState>(
    "ledger",
  )) as CentroidRoom<LedgerState>;
  quiet(ada);
  const { roomId } = ada;
  const seat = (await (
    await fetch(`${ledgers.url}/matchmake/joinById/${roomId}`, { method: "POST", body: "{}" })
  ).json()) as { sessionId: string };
  const { sessionId } = seat;
  const first = await dial(ledgers, roomId, { sessionId });
  await expect.poll(() => first.data.length).toBeGreaterThan(0);
  const [join] = first.data;
  const token = join!.subarray(2, 2 + join![1]!).toString();
  first.socket.send(join!.subarray(0, 1));
  await expect.poll(() => ada.state.entries.has(sessionId)).toBe(true);
  await ticks(ada);
  const restored = new Promise((resolve) => void ada.onMigrate(resolve));
  await killProcessOf(ledgers, roomId);
  await restored;
  const resumed = async (): Promise<[WebSocket, ServerControl | undefined]> => {
    const { socket, heard, data } = await dial(ledgers, roomId, { sessionId, [RESTORE_QUERY]: token });
    // The whole state too.
    await expect.poll(() => data.length).toBeGreaterThan(0);
    return [socket, heard.find(({ type }) => type === "resumed")];
  };
  // Given up by the player, which the host does not know yet when it dials again.
  const [forsaken] = await resumed();
  const closed = once(forsaken, "close");
  const [silent, before] = await resumed();
  await closed;
  silent.terminate();
  await ticks(ada, 5);
  const [socket, after] = await resumed();
  expect(before).toMatchObject({ type: "resumed", received: 1 });
  expect(after).toEqual(before);
  socket.terminate();
  await ada.leave();
}, 60_000);

it("a room in which an async handler runs for ever is saved all the same", async () => {
  const room = await new CentroidClient(handlers.url, { probing: false }).create<{ round: number }>("eye");
  room.send("rounds");
  await expect.poll(() => room.state?.round ?? 0, { timeout: 30_000 }).toBeGreaterThan(40);
  const reached = room.state.round;
  const restored = new Promise((resolve) => void room.onMigrate(resolve));
  await killProcessOf(handlers, room.roomId);
  await restored;
  // What the restored room says comes after its whole state.
  const rung = new Promise((resolve) => void room.onMessage("all", resolve));
  room.onMessage("one", () => undefined);
  room.send("ring");
  await rung;
  // At most a second of waiting for the handler, an interval between two saves, and what the machine adds.
  expect(room.state.round).toBeGreaterThan(reached - 35);
  await room.leave();
}, 60_000);

it("a move waits for handlers of bytes as for those of messages, and keeps the order after a patch", async () => {
  const client = new CentroidClient(handlers.url, { probing: false });
  const room = await client.create<{ byMessage: number; byBytes: number }>("eye");
  const heard: string[] = [];
  for (const type of ["all", "one"]) room.onMessage(type, () => heard.push(type));
  room.send("ring");
  await expect.poll(() => heard.length).toBe(2);
  room.send("frame", 1);
  room.sendBytes("frame", new Uint8Array([1, 2, 3]));
  const moved = await handlers.move(room.roomId, await other(handlers, room.roomId));
  expect(moved.outcome).toBe("completed");
  await expect.poll(() => [room.state.byMessage, room.state.byBytes]).toEqual([1, 1]);
  room.send("ring");
  await expect.poll(() => heard).toEqual(["one", "all", "one", "all"]);
  await room.leave();
}, 60_000);
