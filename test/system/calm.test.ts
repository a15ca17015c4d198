/**
 * A room whose move would be felt waits while its players act, and goes when they pause; rooms that hear each other know the
 * way between them. What led to it is on record.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { replay, type TraceLine } from "@centroid/placement";
import type { Decision } from "@centroid/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HOSTS, LiveSystem } from "../support/live-system.js";

const PATIENCE = { timeout: 60_000, interval: 100 };

let folder: string;
let file: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "centroid-calm-"));
  file = join(folder, "trace.jsonl");
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it("waits for a pause, as its author says, and counts what players send", async () => {
  {
    // Until a move has shown otherwise, each is expected to freeze a room for so long.
    const placement = { initialFreezeMs: 400, regretFactor: 0.001 };
    const [frankfurt, , tokyo] = HOSTS;
    await using live = await LiveSystem.start({ traceFile: file, placement }, [frankfurt!, tokyo!]);
    const ada = await live.player("ada", "tokyo");
    const room = await ada.create("ledger");
    const heralds = await Promise.all(
      ["frankfurt", "tokyo"].map(async (city) => (await live.player(city, city)).create("herald")),
    );
    const news = setInterval(() => {
      for (const herald of heralds) herald.send("tell", "news");
    }, 50);
    const activityOf = async (roomId: string): Promise<number | undefined> =>
      (await live.rooms()).find((one) => one.roomId === roomId)?.activity;
    const says = async (calm: boolean): Promise<void> => {
      await room.request("calm" as never, calm as never);
      await expect.poll(() => activityOf(room.roomId), PATIENCE).toBe(calm ? 0 : 1);
    };
    const decided = (fits: (decision: Decision) => boolean, from: number): Promise<Decision> =>
      live.event((event) => {
        const mine = event.type === "decision" && event.decision.roomId === room.roomId;
        return mine && fits(event.decision) ? event.decision : undefined;
      }, from);

    await says(false);
    await live.emulator.setSite("ada", "frankfurt");
    const waits = await decided(({ reason }) => reason === "awaiting-calm", 0);
    expect(waits).toMatchObject({ verdict: "stay", fromHostId: "tokyo", toHostId: "frankfurt" });
    expect(waits.freeze).toMatchObject({ expectedMs: 400, activity: 1 });
    expect(waits.text).toMatch(/freeze the room for 400 ms and its players are 100 % active: waits for them/);

    const from = live.events.length;
    await room.request("calm" as never, true as never);
    const paused = await live.receipt(room.roomId, from);
    expect(paused).toMatchObject({ outcome: "completed", toHostId: "frankfurt", activity: 0 });
    const went = await decided(({ verdict }) => verdict === "move", from);
    expect(went.text).toMatch(/its players pause/);

    // Moves are quick, as that one has shown: it goes in the middle of a duel, at twice the price.
    await says(false);
    const back = live.events.length;
    await live.emulator.setSite("ada", "tokyo");
    expect(await live.receipt(room.roomId, back)).toMatchObject({ toHostId: "tokyo", activity: 1 });

    // The heralds hear each other over the whole way between their hosts, and stay, as players count for more.
    const wayTo = async (hostId: string): Promise<number | undefined> => {
      const [decision] = await live.decisions(heralds[0]!.roomId);
      return decision?.candidates.find((candidate) => candidate.hostId === hostId)?.tieMs;
    };
    await expect.poll(() => wayTo("frankfurt"), PATIENCE).toBeGreaterThan(10);
    // What players send is counted.
    await expect.poll(() => activityOf(heralds[0]!.roomId), PATIENCE).toBeGreaterThan(0);
    clearInterval(news);
    await Promise.all([room, ...heralds].map((one) => one.leave()));
  }
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  const { decisions, difference } = replay(lines.map((line) => JSON.parse(line) as TraceLine));
  expect(difference).toBeUndefined();
  expect(decisions).toContainEqual(expect.objectContaining({ reason: "awaiting-calm" }));
}, 180_000);
