/** What room code gets to see: of its agent's environment what it is meant to, of its players' requests all of it. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import { bundleRooms } from "@centroid/room-host/bundling";
import { CentroidClient, type Joined } from "@centroid/sdk";
import { Client, type Room, type SeatReservation } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type SurroundingsRoom from "../fixtures/trust-rooms/surroundings.js";

const SECRETS = {
  CENTROID_AGENT_TOKEN: "hush-agent-token",
  CENTROID_TOKEN: "hush-admin-token",
  CENTROID_REDIS: "redis://hush-redis:1",
  DATABASE_PASSWORD: "hush-database",
};
const TOKEN = "hush-token-of-this-test";

let folder: string;
let broker: Broker;
let agent: AgentProcess;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-surroundings-"));
  const rooms = await bundleRooms(join(import.meta.dirname, "../fixtures/trust-rooms"), folder);
  broker = await startBroker({ port: 0, agentToken: TOKEN });
  Object.assign(process.env, SECRETS, { GAME_MODE: "duel", LC_TIME: "C" });
  agent = await startAgent({
    hostId: "here",
    name: "Here",
    latitude: 1,
    longitude: 2,
    brokerUrls: [broker.url.replace("http", "ws")],
    token: TOKEN,
    roomEnv: ["GAME_MODE"],
    roomsBundle: rooms.path,
    roomTypes: rooms.roomTypes,
  });
});
afterAll(async () => {
  for (const name of [...Object.keys(SECRETS), "GAME_MODE", "LC_TIME"]) delete process.env[name];
  await agent[Symbol.asyncDispose]();
  await broker[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

type Asked = Pick<Room, "send" | "onMessage">;
function ask<T>(room: Asked, what: string): Promise<T> {
  const answer = new Promise<T>((resolve) => void room.onMessage(what, resolve));
  room.send(what);
  return answer;
}

it("room code has what programs need and what the operator names, and no token", async () => {
  const room = await new CentroidClient(broker.url, { probing: false }).create("surroundings");
  const environment = await ask<Record<string, string>>(room, "environment");
  expect(environment).toMatchObject({ PATH: process.env.PATH, GAME_MODE: "duel", LC_TIME: "C" });
  expect(JSON.stringify(environment)).not.toContain("hush");
  // A program of the same user reads its parent's environment, too.
  const parent = await ask<string>(room, "parent");
  expect(parent).toContain("CENTROID_AGENT=");
  for (const secret of [TOKEN, SECRETS.CENTROID_AGENT_TOKEN, SECRETS.CENTROID_TOKEN, SECRETS.CENTROID_REDIS])
    expect(parent).not.toContain(secret);
  await room.leave();
});

it("refuses to pass on what is the agent's own", async () => {
  const config = {
    hostId: "x",
    name: "X",
    latitude: 0,
    longitude: 0,
    brokerUrls: ["ws://127.0.0.1:1"],
    token: "t",
  };
  await expect(
    startAgent({ ...config, roomsBundle: "x", roomEnv: ["CENTROID_AGENT_TOKEN"] }),
  ).rejects.toMatchObject({ code: "CONFIG_INVALID", message: expect.stringMatching(/not for rooms/) });
});

describe("static onAuth", () => {
  const join = async (headers: Record<string, string>) => {
    const response = await fetch(`${broker.url}/matchmake/create/surroundings`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: "{}",
    });
    const room = await new Client(broker.url).consumeSeatReservation((await response.json()) as never);
    const auth = await ask(room, "auth");
    await room.leave();
    return auth;
  };

  it("gets the player's address, headers and cookies", async () => {
    expect(await join({ cookie: "sid=1" })).toEqual({
      token: "",
      ip: "127.0.0.1",
      cookie: "sid=1",
      forwarded: null,
    });
  });

  it("gets the address that a proxy says, as on bare Colyseus", async () => {
    const proxied = { "x-forwarded-for": "203.0.113.9, 10.0.0.1", authorization: "Bearer secret" };
    expect(await join(proxied)).toEqual({
      token: "secret",
      ip: "203.0.113.9",
      cookie: null,
      forwarded: "203.0.113.9, 10.0.0.1",
    });
  });
});

describe("CentroidClient is Colyseus' client", () => {
  it("with an auth token, for joins and for HTTP", async () => {
    const client = new CentroidClient(broker.url, { probing: false, headers: { cookie: "sid=2" } });
    client.auth.token = "banned";
    await expect(client.create("surroundings")).rejects.toThrow(/banned/);
    client.auth.token = "secret";
    expect(client.http.authToken).toBe("secret");
    const room = await client.create("surroundings");
    expect(await ask(room, "auth")).toMatchObject({ token: "secret", cookie: "sid=2" });
    const { data, status } = await client.http.get("/centroid/v1/beacons");
    expect([status, data]).toMatchObject([200, { beacons: [{ hostId: "here" }] }]);
    await room.leave();
  });

  it("with seats that were reserved elsewhere", async () => {
    const reserved = await fetch(`${broker.url}/matchmake/create/surroundings`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": "application/json" },
    });
    const seat = (await reserved.json()) as never as SeatReservation;
    const client = new CentroidClient(broker.url, { probing: false });
    const room = await client.consumeSeatReservation(seat);
    expect([room.roomId, room.sessionId, room.host.hostId]).toEqual([seat.roomId, seat.sessionId, "here"]);
    expect(client.playerToken).toMatch(/\./);
    await room.leave();
    await expect(client.consumeSeatReservation({ roomId: "x" } as never)).rejects.toMatchObject({
      code: "ROOM_NOT_FOUND",
    });
  });

  it("with the latency of what is nearest", async () => {
    const client = new CentroidClient(broker.url);
    const rttMs = await client.getLatency();
    expect(rttMs).toBeGreaterThan(0);
    expect(rttMs).toBeLessThan(1_000);
    const nearest = await CentroidClient.selectByLatency(["http://127.0.0.1:1", broker.url]);
    expect(nearest.settings.port).toBe(broker.port);
    await expect(CentroidClient.selectByLatency(["http://127.0.0.1:1"])).rejects.toMatchObject({
      code: "NO_HOST",
    });
  });

  it("with typed rooms", async () => {
    const client = new CentroidClient<{
      "~rooms": { surroundings: { "~room": SurroundingsRoom } };
      "~routes": unknown;
    }>(["http://127.0.0.1:1", broker.url], { probing: false });
    const room = await client.create("surroundings");
    const typed: Joined<SurroundingsRoom> = room;
    expect(typed.host.hostId).toBe("here");
    // HTTP goes where the join went.
    expect(client.settings.port).toBe(broker.port);
    const other = await client.joinById<SurroundingsRoom>(room.roomId);
    expect(other.roomId).toBe(room.roomId);
    await Promise.all([room.leave(), other.leave()]);
  });
});
