/** Who gets into which room: the same as on Colyseus itself, and the same after the room has moved. */
import { join } from "node:path";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import type { Room } from "@colyseus/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ask, type BareColyseus, Player, startBareColyseus } from "../support/bare-colyseus.js";

const ROOMS = join(import.meta.dirname, "../fixtures/matchmaking-rooms");

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

const attempt = (join: Promise<Room>): Promise<string> =>
  join.then(
    ({ roomId }) => roomId,
    (cause: { code: number }) => String(cause.code),
  );

async function moveToOther(roomId: string): Promise<void> {
  const where = (await (await fetch(`${here.url}/centroid/v1/where/${roomId}`)).json()) as {
    host: { hostId: string };
  };
  const receipt = await here.move(roomId, where.host.hostId === "a" ? "b" : "a");
  expect(receipt).toMatchObject({ outcome: "completed" });
}

type Place = "bare" | "here" | "after a move";
const PLACES: Place[] = ["bare", "here", "after a move"];
const at = (place: Place) => ({
  client: () => new Player(place === "bare" ? bare.url : here.url),
  moved: async (room: Room): Promise<void> => {
    if (place === "after a move") await moveToOther(room.roomId);
  },
});

describe.each(PLACES)("matchmaking, %s", (place) => {
  const { client, moved } = at(place);
  const unique = (text: string): string => `${text} ${place}`;

  it("keeps strangers out of a private room, and lets in who knows its id", async () => {
    const club = await client().create("club", {});
    await moved(club);
    const stranger = await client().joinOrCreate("club", {});
    expect(stranger.roomId).not.toBe(club.roomId);
    expect(await attempt(client().join("club", {}))).toBe("521");
    expect(await attempt(client().joinById(club.roomId))).toBe(club.roomId);
    await Promise.all([club.leave(), stranger.leave()]);
  });

  it("keeps strangers out from the moment the room says so, not a message later", async () => {
    const club = await client().create("club", { open: true });
    await moved(club);
    expect(await attempt(client().join("club", {}))).toBe(club.roomId);
    await ask(club, "private", true);
    expect(await attempt(client().join("club", {}))).toBe("521");
    await ask(club, "private", false);
    await expect.poll(() => attempt(client().join("club", {}))).toBe(club.roomId);
    await ask(club, "private", true);
  });

  it("seats players in rooms of the mode they ask for", async () => {
    const [duo, squad] = [unique("duo"), unique("squad")];
    const first = await client().joinOrCreate("match", { mode: duo });
    await moved(first);
    const other = await client().joinOrCreate("match", { mode: squad });
    expect(other.roomId).not.toBe(first.roomId);
    expect(await attempt(client().joinOrCreate("match", { mode: duo }))).toBe(first.roomId);
    expect(await attempt(client().join("match", { mode: unique("solo") }))).toBe("521");
    await ask(first, "mode", squad);
    await expect.poll(() => attempt(client().join("match", { mode: duo }))).toBe("521");
  });

  it("prefers the best rated of several rooms", async () => {
    const mode = unique("rated");
    const rooms = [];
    for (const rating of [10, 30, 20]) rooms.push(await client().create("match", { mode, rating }));
    for (const room of rooms) await moved(room);
    expect(await attempt(client().join("match", { mode }))).toBe(rooms[1]!.roomId);
  });

  it("gives onCreate the options of the room's type, and keeps its metadata", async () => {
    const mode = unique("options");
    const room = await client().create("match", { mode, rating: 1, season: 1 });
    await moved(room);
    expect(await ask(room, "metadata")).toEqual({ mode, rating: 1, season: 7 });
  });

  it("lets players in as maxClients and locks say", async () => {
    const mode = unique("sizes");
    const room = await client().create("match", { mode });
    await moved(room);
    await ask(room, "maxClients", 1);
    await expect.poll(() => attempt(client().join("match", { mode }))).toBe("521");
    expect(await attempt(client().joinById(room.roomId))).toBe("522");
    await ask(room, "maxClients", 3);
    await expect.poll(() => attempt(client().join("match", { mode }))).toBe(room.roomId);
    await ask(room, "lock", true);
    await expect.poll(() => attempt(client().join("match", { mode }))).toBe("521");
    expect(await attempt(client().joinById(room.roomId))).toBe("522");
    await ask(room, "lock", false);
    await expect.poll(() => attempt(client().join("match", { mode }))).toBe(room.roomId);
  });

  it("finds a room by the id that it chose", async () => {
    const code = `ABCD-${PLACES.indexOf(place)}`;
    const party = await client().create("party", { code });
    expect(party.roomId).toBe(code);
    await moved(party);
    expect(await ask(party, "id")).toBe(code);
    expect(await attempt(client().joinById(code))).toBe(code);
    // Who makes a room with a code that is taken is seated in the one that has it.
    expect(await attempt(client().create("party", { code }))).toBe(code);
    const drawn = await client().create("party", {});
    expect(drawn.roomId).toMatch(/^code-/);
    await moved(drawn);
    expect(await ask(drawn, "id")).toBe(drawn.roomId);
  });

  it.each([
    ["application/json", "[]", 200],
    ["application/json", '"x"', 200],
    ["application/json", "null", 200],
    ["application/json", "5", 200],
    ["application/json", "{", 400],
    ["text/plain", '{"name":"q"}', 200],
    ["application/x-www-form-urlencoded", "mode=a", 200],
    ["application/octet-stream", "x", 200],
  ])("takes a body of %s %s", async (type, body, status) => {
    const url = place === "bare" ? bare.url : here.url;
    const response = await fetch(`${url}/matchmake/create/club`, {
      method: "POST",
      headers: { "content-type": type },
      body,
    });
    expect(response.status).toBe(status);
  });
});
