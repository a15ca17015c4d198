/** Colyseus' match maker inside rooms: it finds, makes and calls the same rooms as on Colyseus, wherever they are. */
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import type { Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, type BareColyseus, Player, startBareColyseus } from "../support/bare-colyseus.js";

const ROOMS = join(import.meta.dirname, "../fixtures/lobby-rooms");

let here: TestSystem;
let bare: BareColyseus;
beforeAll(async () => {
  bare = await startBareColyseus(ROOMS);
  here = await startTestSystem({ rooms: ROOMS });
});
afterAll(async () => {
  await here[Symbol.asyncDispose]();
  await bare[Symbol.asyncDispose]();
});

async function moveToOther(roomId: string): Promise<void> {
  const where = (await (await fetch(`${here.url}/centroid/v1/where/${roomId}`)).json()) as {
    host: { hostId: string };
  };
  const receipt = await here.move(roomId, where.host.hostId === "a" ? "b" : "a");
  expect(receipt).toMatchObject({ outcome: "completed" });
}

it("a seat that a room made is taken by Centroid's client too, and the room is followed", async () => {
  const hall = await new Player(here.url).create("hall");
  const made = await ask<{ roomId: string; seat: never }>(hall, "make", {});
  // The room is elsewhere by the time that the seat is taken.
  await moveToOther(made.roomId);
  const client = new CentroidClient(here.url, { probing: { intervalMs: 300 } });
  const room = await client.consumeSeatReservation(made.seat);
  expect(room.roomId).toBe(made.roomId);
  const moved = new Promise((resolve) => void room.onMigrate(resolve));
  await moveToOther(made.roomId);
  expect(await moved).toMatchObject({ lost: 0, duplicated: 0 });
  await room.leave();
  client.dispose();
});

it("players can list the open rooms, with metadata, wherever those are", async () => {
  const players = new CentroidClient(here.url, { probing: false });
  const open = await players.create("match", { code: "open" });
  const hidden = await players.create("match", { hidden: true });
  const listed = async () => {
    const rooms = await players.getAvailableRooms("match");
    return rooms.filter(({ roomId }) => roomId === open.roomId || roomId === hidden.roomId);
  };
  const { roomId } = open;
  const row = { roomId, name: "match", clients: 1, metadata: { code: "open" } };
  await expect.poll(listed).toMatchObject([row]);
  await moveToOther(roomId);
  expect(await listed()).toMatchObject([row]);
  expect((await players.getAvailableRooms()).map((room) => room.roomId)).toContain(roomId);
  expect(await players.getAvailableRooms("nothing")).toEqual([]);
  await open.leave();
  await expect.poll(listed).toEqual([]);
  await hidden.leave();
});

type Place = "bare" | "here" | "after a move";
describe.each<Place>(["bare", "here", "after a move"])("matchMaker in a room, %s", (place) => {
  const client = () => new Player(place === "bare" ? bare.url : here.url);
  const moved = async (room: Room): Promise<void> => {
    if (place === "after a move") await moveToOther(room.roomId);
  };
  const hall = async (): Promise<Room> => {
    const room = await client().create("hall");
    await moved(room);
    return room;
  };

  it("makes a room that can be joined, with a seat that can be taken", async () => {
    const room = await hall();
    const made = await ask<{ roomId: string; seat: never }>(room, "make", {});
    expect((await client().take(made.seat)).roomId).toBe(made.roomId);
    expect((await client().joinById(made.roomId)).roomId).toBe(made.roomId);
  });

  it("counts the rooms of all hosts", async () => {
    const code = `counted ${place}`;
    const room = await hall();
    const one = await client().create("match", { code });
    const two = await client().create("match", { code });
    await moved(two);
    await expect.poll(() => ask(room, "query", { name: "match", code })).toBe(2);
    expect(await ask(room, "query", { roomId: one.roomId })).toBe(1);
    expect(await ask(room, "query", { name: "match", code: "nobody's" })).toBe(0);
  });

  it("makes a room in onCreate, once", async () => {
    const room = await client().create("suite");
    const made = await ask<{ roomId: string }>(room, "made", {});
    expect(made).toMatchObject({ suites: 1, failed: "as expected" });
    const before = await ask(room, "rooms", {});
    for (let times = 0; times < 2; times++) {
      await moved(room);
      expect(await ask(room, "made", {})).toEqual(made);
    }
    expect(await ask(room, "rooms", {})).toBe(before);
  });

  it("calls a room, and reads from it, wherever it is", async () => {
    const room = await hall();
    const match = await client().create("match", {});
    expect(await ask(room, "call", match.roomId)).toBe("hello you");
    await moved(match);
    expect(await ask(room, "call", match.roomId)).toBe("hello you");
    expect(await ask(room, "read", match.roomId)).toBe("good day");
  });

  it("gives seats in rooms that it finds", async () => {
    const room = await hall();
    const match = await client().create("match", { code: "found" });
    await moved(match);
    const seat = await ask<never>(room, "joinById", match.roomId);
    expect((await client().take(seat)).roomId).toBe(match.roomId);
    const found = await ask<never>(room, "joinOrCreate", "match");
    expect((await client().take(found)).name).toBe("match");
  });

  it("tells a lobby of rooms that come and go, not of private ones", async () => {
    const lobby = await client().create("lobby");
    const known = new Map<string, unknown>();
    lobby.onMessage("rooms", () => undefined);
    lobby.onMessage("+", ([roomId, room]: [string, { metadata: unknown }]) =>
      known.set(roomId, room.metadata),
    );
    lobby.onMessage("-", (roomId: string) => known.delete(roomId));
    const hidden = await client().create("match", { hidden: true });
    const match = await client().create("match", { code: "listed" });
    await expect.poll(() => known.get(match.roomId)).toEqual({ code: "listed" });
    expect(known.has(hidden.roomId)).toBe(false);
    await moved(match);
    expect(known.has(match.roomId)).toBe(true);
    await match.leave();
    await expect.poll(() => known.has(match.roomId)).toBe(false);
  });

  it("brings players of a queue together", async () => {
    const first = await client().create("queue", { rank: 1 });
    const second = await client().joinById(first.roomId, { rank: 1 });
    const seats = [first, second].map((room) => {
      room.onMessage("clients", () => undefined);
      return new Promise<never>((resolve) => room.onMessage("seat", resolve));
    });
    const rooms = await Promise.all(seats.map(async (seat) => client().take(await seat)));
    expect(rooms[0]!.roomId).toBe(rooms[1]!.roomId);
  });
});
