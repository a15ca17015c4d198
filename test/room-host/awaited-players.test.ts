/** What a restored room says to players who are not back yet, when its host dies as well. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { NumberedTick } from "../history/room-history.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const CHECKPOINT_MS = 50;
const patiently = { timeout: 60_000, interval: 20 };
let pair: PairOfHosts;
let history: string;
beforeAll(async () => {
  history = await mkdtemp(join(tmpdir(), "centroid-awaited-"));
  pair = await PairOfHosts.start(undefined, 0, 0, CHECKPOINT_MS);
}, 60_000);
afterAll(async () => {
  await pair[Symbol.asyncDispose]();
  await rm(history, { recursive: true, force: true });
});

it("who came back before the second death does not hear twice what had waited for it when the room was saved (FAIL-7)", async () => {
  const roomId = await pair.create("ledger", { history });
  const player = await pair.client().joinById(roomId);
  const got: NumberedTick[] = [];
  player.onMessage("shot", (tick: NumberedTick) => got.push(tick));
  const lives = (): string[] => [...new Set(got.map(({ life }) => life))];
  await expect.poll(() => got.length, patiently).toBeGreaterThan(3);
  await pair.saved(roomId);

  // Restored, and saved while something waits for the player.
  pair.hidesRooms = true;
  await pair.lose(roomId, "checkpoint");
  const ticks = async (): Promise<number> => Number((await pair.inspect(roomId)).state.tick);
  const begun = await ticks();
  await expect.poll(ticks, patiently).toBeGreaterThan(begun + 2);
  await pair.saved(roomId);
  pair.stopSaving();

  // It comes and hears that; the next host knows nothing of it.
  pair.hidesRooms = false;
  await expect.poll(() => lives().length, patiently).toBe(2);
  const { length } = got;
  await expect.poll(() => got.length, patiently).toBeGreaterThan(length + 3);
  await pair.lose(roomId, "checkpoint");
  await expect.poll(() => lives().length, patiently).toBe(3);

  const heard = got.map(({ life, tick }) => `${life} ${tick}`);
  expect(new Set(heard).size).toBe(heard.length);
  // Nor does it miss what waited for it there alone.
  const [, second, third] = lives();
  const ofSecond = got.filter(({ life }) => life === second).map(({ tick }) => tick);
  expect(ofSecond).toEqual(ofSecond.map((_, at) => (ofSecond[0] ?? 0) + at));
  const [first] = got.filter(({ life }) => life === third);
  expect(ofSecond).toContain((first?.tick ?? 0) - 1);
  await player.leave();
}, 180_000);
