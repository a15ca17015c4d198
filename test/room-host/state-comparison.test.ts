/** Copies of a state that differ from the room's, as @colyseus/schema 5.0.34 makes them, are found and mended. */
import { join } from "node:path";
import type { CentroidRoom } from "@centroid/sdk";
import { Client } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const INTERVAL_MS = 100;

interface TableState {
  tick: number;
  hands: Map<string, { cards: string[]; best: { name: string } }>;
  seats: Map<string, string>;
}
type Table = CentroidRoom<TableState>;

let pair: PairOfHosts;
beforeAll(async () => {
  const rooms = join(import.meta.dirname, "../fixtures/diverging-rooms");
  pair = await PairOfHosts.start(rooms, 0, 0, 0, INTERVAL_MS);
});
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
});

const enter = async (roomId: string): Promise<Table> => {
  const room = (await pair.client().joinById(roomId)) as Table;
  await expect.poll(() => room.state?.tick, { timeout: 30_000 }).toBeGreaterThan(0);
  return room;
};
const cards = (room: Table): string => [...(room.state.hands.get("first")?.cards ?? [])].join();
const seats = (room: Table): string => [...room.state.seats.keys()].join();
const diverged = (roomId: string): number =>
  pair.told.filter((told) => told.roomId === roomId && told.change.event === "diverged").length;
/** So many patches of a room that changes at each. */
const patches = async (room: Table, count: number): Promise<void> => {
  const until = room.state.tick + count;
  await expect.poll(() => room.state.tick).toBeGreaterThan(until);
};

it("finds what an array lacks, and where; what is only shown differently is no difference (STATE-4)", async () => {
  const roomId = await pair.create("table");
  const [room, other] = [await enter(roomId), await enter(roomId)];
  const kept = room.state.hands.get("first")?.best;
  await patches(room, 60);
  expect(diverged(roomId)).toBe(0);
  room.send("insert and remove");
  await expect.poll(() => cards(room), { interval: 1, timeout: 30_000 }).toBe("a,c");
  await expect.poll(() => [cards(room), cards(other)], { timeout: 30_000 }).toEqual(["a,b,c", "a,b,c"]);
  await patches(room, 30);
  expect(diverged(roomId)).toBe(2);
  expect(pair.notices.filter((line) => line.includes(roomId))).toEqual(
    expect.arrayContaining([
      `room ${roomId}: the state of session ${room.sessionId} differed at hands.first.cards; it was sent again`,
    ]),
  );
  // It is the same object for whoever holds it.
  expect(room.state.hands.get("first")?.best).toBe(kept);
  await Promise.all([room.leave(), other.leave()]);
});

it("gives a map the room's order, for those who are there and those who come, on the next host, too", async () => {
  const roomId = await pair.create("table");
  const room = await enter(roomId);
  expect(seats(room)).toBe("x,y,z");
  await pair.move(roomId);
  room.send("set again");
  await expect.poll(() => seats(room), { timeout: 30_000 }).toBe("y,z,x");
  const late = await enter(roomId);
  await expect.poll(() => seats(late), { timeout: 30_000 }).toBe("y,z,x");
  expect(late.state.seats.get("x")).toBe("x again");
  await Promise.all([room.leave(), late.leave()]);
});

it("leaves a player alone who writes into its own copy", async () => {
  const roomId = await pair.create("table");
  const room = await enter(roomId);
  room.onStateChange((state) => {
    const hand = state.hands.get("first");
    if (hand !== undefined) hand.best.name = "mine";
  });
  await expect.poll(() => diverged(roomId), { timeout: 30_000 }).toBe(1);
  await patches(room, 60);
  expect(diverged(roomId)).toBe(1);
  room.send("insert and remove");
  await expect.poll(() => diverged(roomId), { timeout: 30_000 }).toBe(2);
  await expect.poll(() => cards(room), { timeout: 30_000 }).toBe("a,b,c");
  await room.leave();
});

it("leaves players with a view out, who each have another state", async () => {
  const roomId = await pair.create("table", { views: true });
  const room = await enter(roomId);
  room.send("insert and remove");
  await patches(room, 60);
  expect(diverged(roomId)).toBe(0);
  await room.leave();
});

it("mends what players on stock clients have; a map's order, which they cannot be told, is left as it is", async () => {
  const roomId = await pair.create("table");
  const enterStock = async (): Promise<Table> => {
    const room = (await new Client(pair.url).joinById(roomId)) as unknown as Table;
    room.onMessage("*", () => undefined);
    await expect.poll(() => room.state?.tick, { timeout: 30_000 }).toBeGreaterThan(0);
    return room;
  };
  const [room, other] = [await enterStock(), await enterStock()];
  const seen = new Set<string>();
  room.onStateChange(() => seen.add(cards(room)));
  for (let time = 0; time < 2; time++) {
    seen.clear();
    room.send("insert and remove");
    await expect.poll(() => diverged(roomId), { timeout: 30_000 }).toBe(2 * (time + 1));
    await expect.poll(() => seen.has("a,c"), { timeout: 30_000 }).toBe(true);
    await expect.poll(() => [cards(room), cards(other)], { timeout: 30_000 }).toEqual(["a,b,c", "a,b,c"]);
  }
  room.send("set again");
  await expect.poll(() => diverged(roomId), { timeout: 30_000 }).toBe(6);
  await patches(room, 60);
  expect(diverged(roomId)).toBe(6);
  room.send("insert and remove");
  await expect.poll(() => diverged(roomId), { timeout: 30_000 }).toBe(8);
  await expect.poll(() => cards(other), { timeout: 30_000 }).toBe("a,b,c");
  await Promise.all([room.leave(), other.leave()]);
});
