/** Streams move with what each client has had of them, the same script on bare Colyseus; a restored room sends them again. */
import { join } from "node:path";
import { Client, type Room } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type BareColyseus, startBareColyseus } from "../support/bare-colyseus.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const ROOMS = join(import.meta.dirname, "../fixtures/input-rooms");

/** A client of either SDK. */
interface Joins {
  joinById(roomId: string): Promise<unknown>;
}
interface Item {
  label: string;
  hits: number;
}
type Feed = Room<unknown, { items: { $items: Map<number, Item> }; named: Map<string, Item> }>;

let bare: BareColyseus;
let pair: PairOfHosts;
beforeAll(async () => {
  bare = await startBareColyseus(ROOMS);
  pair = await PairOfHosts.start(ROOMS, 0, 0, 100);
});
afterAll(async () => {
  await bare[Symbol.asyncDispose]();
  await pair[Symbol.asyncDispose]();
});

const items = ({ state }: Feed): [number, string, number][] =>
  [...(state?.items?.$items ?? [])].map(([position, { label, hits }]) => [position, label, hits]);
const named = ({ state }: Feed): [string, number][] =>
  [...(state?.named ?? [])].map(([key, { hits }]) => [key, hits]);

/** How many items the client has after each patch that brought some. */
function steps(room: Feed): number[] {
  const seen: number[] = [];
  room.onStateChange(() => {
    const count = items(room).length;
    if (count > 0 && seen.at(-1) !== count) seen.push(count);
  });
  return seen;
}

async function script(client: Joins, roomId: string, happens: () => Promise<unknown>): Promise<object> {
  const room = (await client.joinById(roomId)) as Feed;
  await expect.poll(() => room.state?.items).toBeDefined();
  const seen = steps(room);
  room.send("add", 100);
  await expect.poll(() => items(room).length).toBeGreaterThan(0);
  await happens();
  room.send("hit", "item 0");
  await expect.poll(() => items(room).length).toBe(100);
  const arrived = [...seen];
  await happens();
  room.send("remove", "item 1");
  room.send("add", 1);
  await expect.poll(() => items(room).at(-1)?.[1]).toBe("item 100");
  await expect.poll(() => items(room)[0]?.[2]).toBe(1);
  await expect.poll(() => named(room).length).toBe(100);
  const outcome = { arrived, items: items(room), named: named(room) };
  await room.leave();
  return outcome;
}

it.each([[false], [true]])(
  "move with their queues and what each client has had, views: %s",
  async (views) => {
    const roomId = await pair.create("feed", { views });
    const here = await script(pair.client(), roomId, () => pair.move(roomId));
    const { roomId: there } = await new Client(bare.url).create("feed", { views });
    expect(here).toEqual(await script(new Client(bare.url), there, async () => undefined));
  },
);

it.each([[false], [true]])("are whole again after their host's death, views: %s", async (views) => {
  const roomId = await pair.create("feed", { views });
  const room = (await pair.client().joinById(roomId)) as Feed;
  await expect.poll(() => room.state?.items).toBeDefined();
  room.send("add", 40);
  await expect.poll(() => items(room).length).toBe(40);
  await pair.saved(roomId);
  pair.stopSaving();
  // The room that is built again knows nothing of these until the client says them again.
  room.send("add", 5);
  room.send("remove", "item 2");
  const labels = (): string[] => items(room).map(([, label]) => label);
  await expect.poll(() => labels().length).toBe(44);
  await pair.lose(roomId, "checkpoint");
  room.send("hit", "item 3");
  room.send("remove", "item 4");
  room.send("add", 1);
  await expect.poll(() => items(room).find(([, label]) => label === "item 3")?.[2]).toBe(1);
  await expect.poll(() => labels().includes("item 45")).toBe(true);
  const { state } = await pair.inspect(roomId);
  const there = (state.items as Item[]).map(({ label }) => label);
  expect(there).toHaveLength(44);
  expect(labels().sort()).toEqual(there.sort());
  expect(
    named(room)
      .map(([label]) => label)
      .sort(),
  ).toEqual(there.sort());
  await room.leave();
});
