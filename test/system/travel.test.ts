/** Players go through a portal: they are in the new room before they leave the old one, and who stays notices nothing. */
import { join } from "node:path";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";

interface Place {
  ticks: number;
  people: Map<string, string>;
}

let system: TestSystem;
const clients: CentroidClient[] = [];
beforeAll(async () => {
  system = await startTestSystem({ rooms: join(import.meta.dirname, "../fixtures/portal-rooms") });
});
afterEach(() => {
  for (const client of clients.splice(0)) client.dispose();
});
afterAll(() => system[Symbol.asyncDispose]());

async function enters(name: string, roomId?: string): Promise<CentroidRoom<Place>> {
  const client = new CentroidClient(system.url, { probing: { intervalMs: 300 } });
  clients.push(client);
  return roomId === undefined
    ? client.create<Place>("square", { name })
    : client.joinById<Place>(roomId, { name });
}
const names = (room: Room<unknown, Place>): string[] => [...room.state.people.values()].sort();
const left = (room: Room<unknown, Place>): Promise<number> =>
  new Promise((resolve) => void room.onLeave((code) => resolve(code)));

it("into a new room, with what was known of them, while another client stays", async () => {
  const ana = await enters("ana");
  const ben = await enters("ben", ana.roomId);
  const cleo = await enters("cleo", ana.roomId);
  await expect.poll(() => names(cleo)).toEqual(["ana", "ben", "cleo"]);
  const arrivals = [ana, ben].map(
    (room) =>
      new Promise<{ next: CentroidRoom<Place>; before: boolean }>((resolve) => {
        let there = true;
        room.onLeave(() => {
          there = false;
        });
        room.onTravel((next) => resolve({ next: next as CentroidRoom<Place>, before: there }));
      }),
  );
  const gone = [left(ana), left(ben)];
  const who = [ana.sessionId, ben.sessionId];
  const answer = await cleo.request("enter" as never, { to: "dungeon", who } as never);
  const [first, second] = await Promise.all(arrivals);
  expect(answer).toEqual({ roomId: first!.next.roomId, refused: [] });
  expect(second!.next.roomId).toBe(first!.next.roomId);
  expect([first!.before, second!.before]).toEqual([true, true]);
  expect(await Promise.all(gone)).toEqual([4000, 4000]);
  await expect.poll(() => names(first!.next)).toEqual(["ana at 3", "ben at 3"]);
  await expect.poll(() => first!.next.state.ticks).toBeGreaterThan(3_000);
  await expect.poll(() => names(cleo)).toEqual(["cleo"]);
  // It is full, and who has no seat there stays and is told why.
  const { roomId } = first!.next;
  expect(await cleo.request("enter" as never, { to: { roomId } } as never)).toMatchObject({
    roomId,
    refused: [{ sessionId: cleo.sessionId, code: "ROOM_FULL" }],
  });
  expect(names(cleo)).toEqual(["cleo"]);

  // The broker knows them in the new room as the players that they were: it follows them, and they follow it.
  const { hostId } = first!.next.host;
  const moved = Promise.all(
    [first!, second!].map(({ next }) => new Promise((done) => void next.onMigrate(done))),
  );
  await system.move(roomId, hostId === "a" ? "b" : "a");
  expect(await moved).toMatchObject([
    { lost: 0, duplicated: 0 },
    { lost: 0, duplicated: 0 },
  ]);
  expect(await second!.next.request("same" as never, {} as never)).toBe(second!.next.sessionId);
  await Promise.all([first!.next.leave(), second!.next.leave(), cleo.leave()]);
});

it("with a stock client, by hand", async () => {
  const client = new Client(system.url);
  const room = await client.create<Place>("square", { name: "dan" });
  const seat = new Promise<never>((resolve) => void room.onMessage("centroid:travel", resolve));
  room.send("enter", { to: "dungeon" });
  const next = (await client.consumeSeatReservation(await seat)) as unknown as Room<unknown, Place>;
  await room.leave();
  await expect.poll(() => names(next)).toEqual(["dan at 3"]);
  await next.leave();
});

it("nowhere: the room is told why and goes on", async () => {
  const ana = await enters("ana");
  const ask = (to: unknown, who?: string[]) => ana.request("enter" as never, { to, who } as never);
  expect(await ask("nowhere")).toBe("ROOM_TYPE_UNKNOWN");
  expect(await ask({ roomId: "nowhere" })).toBe("ROOM_NOT_FOUND");
  expect(await ask("dungeon", [])).toBe("SESSION_NOT_FOUND");
  await expect(
    new CentroidClient(system.url, { probing: false }).create("dungeon", { level: 1 }),
  ).rejects.toThrow("find the portal");
  expect(names(ana)).toEqual(["ana"]);
  await ana.leave();
});
