/** Real agents whose brokers refuse them, or are replaced by strangers: nothing of that ends their rooms. */

import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import { bundleRooms } from "@centroid/room-host/bundling";
import { CentroidClient } from "@centroid/sdk";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { WebSocketServer } from "ws";
import { closeServer } from "../support/close-server.js";

const TOKEN = "token-of-this-deployment";
let folder: string;
let rooms: { path: string; roomTypes: string[] };
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-refused-"));
  rooms = await bundleRooms(join(import.meta.dirname, "../fixtures/trust-rooms"), folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const things: (() => Promise<unknown> | undefined)[] = [];
let exits: unknown[];
let notices: string[];
beforeEach(() => {
  exits = [];
  notices = [];
});
afterEach(async () => {
  for (const end of things.splice(0).reverse()) await end();
});

async function broker(port = 0, agentToken = TOKEN): Promise<Broker> {
  const started = await startBroker({ port, agentToken });
  things.push(async () => started[Symbol.asyncDispose]());
  return started;
}
const ws = (url: string) => url.replace("http", "ws");
async function agent(urls: string[], token = TOKEN): Promise<AgentProcess> {
  const started = await startAgent(
    {
      hostId: "here",
      name: "Here",
      latitude: 1,
      longitude: 2,
      brokerUrls: urls.map(ws),
      token,
      roomsBundle: rooms.path,
      roomTypes: rooms.roomTypes,
    },
    { onNotice: (line) => notices.push(line) },
  );
  things.push(async () => started[Symbol.asyncDispose]());
  void started.exited.then((exit) => exits.push(exit));
  return started;
}

/** A program of somebody else on that port: it greets in some way and answers whatever it is told. */
async function stranger(port: number, ...words: string[]) {
  const http = createServer((_request, response) => response.end("hello"));
  const server = new WebSocketServer({ server: http });
  let dialled = 0;
  server.on("connection", (socket) => {
    dialled++;
    socket.send(words[0] ?? "");
    socket.on("message", () => socket.send(words[1] ?? "what?"));
  });
  await new Promise<void>((resolve) => http.listen(port, "127.0.0.1", resolve));
  const end = async (): Promise<void> => {
    for (const socket of server.clients) socket.terminate();
    await closeServer(http);
  };
  things.push(() => (http.listening ? end() : undefined));
  return { end, dialled: () => dialled };
}

async function player(url: string) {
  const client = new CentroidClient(url, { probing: false });
  const room = await client.create("surroundings");
  const heard: unknown[] = [];
  room.onMessage("echo", (what) => heard.push(what));
  things.push(() => (room.connection.isOpen ? room.leave() : undefined));
  let said = 0;
  const plays = async (): Promise<void> => {
    room.send("echo", ++said);
    await expect.poll(() => heard.at(-1)).toBe(said);
  };
  return { room, plays };
}

const challenge = JSON.stringify({ type: "challenge", challenge: "c".repeat(22) });
const STRANGERS: [string, string[]][] = [
  ["speaks no JSON", ["220 smtp.example ESMTP"]],
  ["speaks another version", [JSON.stringify({ type: "salute", protocol: 99 })]],
  ["answers a challenge with a wrong proof", [challenge, JSON.stringify({ type: "accepted", proof: "x" })]],
  [
    "refuses in the protocol's own words",
    [JSON.stringify({ type: "refused", error: { code: "UNAUTHORIZED", message: "not you" } })],
  ],
];

it.each(STRANGERS)(
  "one of two brokers is followed by a stranger that %s",
  async (_what, words) => {
    const [first, second] = [await broker(), await broker()];
    const started = await agent([first.url, second.url]);
    await expect.poll(() => second.hosts().length).toBe(1);
    const { plays } = await player(second.url);
    await plays();
    await first[Symbol.asyncDispose]();
    const visitor = await stranger(first.port, ...words);
    await expect.poll(() => started.brokers.get(ws(first.url))).toBe("refused");
    await expect.poll(visitor.dialled).toBeGreaterThan(1);
    await plays();
    expect(notices.join("\n")).toContain(`refused at ${ws(first.url)}`);
    await visitor.end();
    // A broker with another token is no different; the right one is found again.
    const other = await broker(first.port, "token-of-another-deployment");
    await expect
      .poll(() => notices.filter((line) => /wrong agent token/.test(line)).length)
      .toBeGreaterThan(0);
    await other[Symbol.asyncDispose]();
    const back = await broker(first.port);
    await expect.poll(() => back.hosts().length).toBe(1);
    await plays();
    const connected = new Map([first, second].map(({ url }) => [ws(url), "connected"]));
    await expect.poll(() => started.brokers).toEqual(connected);
    expect(exits).toEqual([]);
  },
  60_000,
);

it("rooms of an agent whose only broker is followed by a stranger run on", async () => {
  const first = await broker();
  const started = await agent([first.url]);
  const { plays } = await player(first.url);
  await plays();
  await first[Symbol.asyncDispose]();
  await stranger(first.port, "220 smtp.example ESMTP");
  await expect.poll(() => started.brokers.get(ws(first.url))).toBe("refused");
  await plays();
  // Longer than a lease: nobody who could have given the room away is there.
  const until = performance.now() + 3_000;
  while (performance.now() < until) await plays();
  expect(exits).toEqual([]);
});

it("ends with what they said if all of its brokers refuse it before any has welcomed it", async () => {
  const [first, second] = [await broker(), await broker()];
  await expect(agent([first.url, second.url], "token-of-another-deployment")).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    message: expect.stringMatching(new RegExp(`${ws(first.url)}: wrong agent token.*; ${ws(second.url)}: `)),
  });
});

it("does not end before its other broker, which is not up yet, has been heard", async () => {
  const other = await broker(0, "token-of-another-deployment");
  const late = await broker();
  await late[Symbol.asyncDispose]();
  const starting = agent([other.url, late.url]);
  await expect.poll(() => notices.length).toBeGreaterThan(0);
  const here = await broker(late.port);
  const started = await starting;
  expect(here.hosts()).toHaveLength(1);
  expect(started.brokers.get(ws(other.url))).toBe("refused");
});
