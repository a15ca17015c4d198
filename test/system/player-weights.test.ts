/** A room goes to those who say what the others see, unless its author wants all to count the same; and this replays. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay, type TraceLine } from "@centroid/placement";
import type { CentroidRoom } from "@centroid/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HOSTS, LiveSystem } from "../support/live-system.js";

const PATIENCE = { timeout: 90_000, interval: 200 };

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-weights-"));
  file = join(folder, "trace.jsonl");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("follows the one who speaks, not those who watch, and says why", async () => {
  {
    const [frankfurt, , tokyo] = HOSTS;
    // By the mean alone: of three players two are in Frankfurt.
    const placement = { objective: "mean" as const };
    await using live = await LiveSystem.start({ traceFile: file, placement }, [frankfurt!, tokyo!]);
    const all: CentroidRoom[] = [];
    const speakers: CentroidRoom[] = [];
    const roomIds: string[] = [];
    for (const type of ["ledger", "equals"]) {
      const first = await (await live.player(`ada-${type}`, "frankfurt")).create(type);
      const { roomId } = first;
      const bob = await (await live.player(`bob-${type}`, "frankfurt")).joinById(roomId);
      const eve = await (await live.player(`eve-${type}`, "tokyo")).joinById(roomId);
      all.push(first, bob, eve);
      speakers.push(eve);
      roomIds.push(roomId);
    }
    for (const room of all) room.onMessage("shot", () => undefined);
    const talk = setInterval(() => {
      for (const room of speakers) room.send("echo", 1);
    }, 50);
    const [weighted, equal] = roomIds as [string, string];
    const hostOf = async (id: string): Promise<string | undefined> =>
      (await live.rooms()).find(({ roomId }) => roomId === id)?.hostId;
    await expect.poll(() => hostOf(weighted), PATIENCE).toBe("tokyo");
    await expect
      .poll(async () => (await live.decisions(weighted))[0]?.text, PATIENCE)
      .toMatch(/; \S+ counts \d\.\dx: so much of what players say and see/);
    expect(await hostOf(equal)).toBe("frankfurt");
    for (const { text } of await live.decisions(equal)) expect(text).not.toContain("counts");
    clearInterval(talk);
    await Promise.all(all.map((room) => room.leave()));
  }
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  const read = lines.map((line) => JSON.parse(line) as TraceLine);
  expect(read.some(({ type }) => type === "weights")).toBe(true);
  expect(replay(read).difference).toBeUndefined();
}, 180_000);
