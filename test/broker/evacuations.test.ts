/** A host that has to be empty soon: as many rooms move at a time as hosts bear, and as the time that is left demands. */
import { expect, it } from "vitest";
import { MoveWindow } from "../../server/broker/dist/placement/move-window.js";
import { hostOf, until, World } from "./support/world.js";

it("the window grows while moves are quick, shrinks when they are slow or fail, and bends to the deadline", () => {
  const window = new MoveWindow();
  const ample = (): number => window.limit(1, 60_000);
  const first = ample();
  for (let move = 0; move < 20; move++) window.ended(300, true);
  const grown = ample();
  expect(grown).toBe(first + 20);
  for (let move = 0; move < 10; move++) window.ended(3_000, true);
  const slow = ample();
  expect(slow).toBeLessThan(grown);
  window.ended(300, false);
  expect(ample()).toBeLessThanOrEqual(slow / 2);
  // Hundreds of rooms in a second: never mind.
  expect(window.limit(500, 1_000)).toBe(64);
  expect(window.limit(0, 0)).toBe(ample());
});

const ROOMS = 40;

it("more rooms are on the way at once than in a plain drain, and all arrive", async () => {
  await using world = await World.start(["a"], { autoMove: true });
  for (let room = 0; room < ROOMS; room++) await world.match("create", "arena");
  await world.host("b");
  await world.host("c");
  const a = world.agent("a");
  const held: (() => void)[] = [];
  a.scripts.set("migrateOut", () => new Promise<undefined>((go) => held.push(() => go(undefined))));
  // All of it within what one move takes. A plain drain begins eight in a second, and each is given up after three.
  const response = await world.call("POST", "/api/v1/hosts/a/drain?withinMs=250");
  expect(response.status).toBe(200);
  const moving = (): number =>
    world.broker.events.snapshot().rooms.filter(({ state }) => state === "migrating").length;
  await until(() => moving() === ROOMS, 30_000);
  a.scripts.delete("migrateOut");
  for (const go of held) go();
  await until(() => a.rooms.size === 0, 30_000);
  for (const { roomId } of await world.get<{ roomId: string }[]>("/api/v1/rooms"))
    expect(["b", "c"]).toContain(await hostOf(world, roomId));
}, 60_000);

it("a host that leaves of its own accord is told whether there is another, and takes rooms when it is back", async () => {
  await using world = await World.start(["a"]);
  const a = world.agent("a");
  const state = (): string | undefined => world.broker.hosts().find(({ hostId }) => hostId === "a")?.state;
  a.raw(JSON.stringify({ type: "leaving", withinMs: 5_000 }));
  await until(() => a.evacuating.length === 1);
  expect(a.evacuating).toEqual([false]);
  await world.host("b");
  a.raw(JSON.stringify({ type: "leaving", withinMs: 5_000 }));
  await until(() => a.evacuating.length === 2);
  expect([a.evacuating, state()]).toEqual([[false, true], "draining"]);
  a.disconnect();
  await a.connect();
  await until(() => state() === "active");
});
