/** Bots as real players on real hosts: their books are exact, also when rooms move and when they are cheated. */
import { join } from "node:path";
import { type BotProgress, renderHtmlReport, runBots } from "@centroid/bots";
import { describe, expect, test } from "vitest";
import { openStage } from "./support.js";

const settings = { players: 8, rooms: 2, seed: 3, workers: 2, inputsPerSecond: 20 } as const;

describe("runBots", () => {
  test("plays, sees moves, and counts nothing lost, doubled or out of order", async () => {
    await using stage = await openStage();
    const { pair, url } = stage;
    const progress: BotProgress[] = [];
    const enough = new AbortController();
    let moves: Promise<unknown[]> | undefined;
    const report = await runBots({
      ...settings,
      brokerUrl: url,
      scenario: "regional",
      durationMs: 50_000,
      signal: enough.signal,
      onProgress: (now) => {
        progress.push(now);
        if (now.playing < settings.players) return;
        moves ??= Promise.all([...pair.owner.keys()].map((roomId) => pair.move(roomId)));
        if (now.freeze.samples === settings.players && now.messages.received > 20) enough.abort();
      },
    });
    await moves;
    expect(report).toMatchObject({
      scenario: "regional",
      players: 8,
      rooms: 2,
      emulated: false,
      migrations: 2,
      joins: { ok: 8, failed: 0 },
      messages: { lost: 0, duplicated: 0, reordered: 0, corrupted: 0 },
      errors: {},
    });
    expect(report.freeze.samples).toBe(8);
    expect(report.messages.sent).toBeGreaterThan(settings.players);
    expect(report.messages.updates).toBeGreaterThan(report.messages.received / 10);
    expect(report.rtt.p50Ms).toBeGreaterThan(0);
    expect(progress.length).toBeGreaterThan(1);
    expect(renderHtmlReport(report)).toContain("<svg");
  }, 90_000);

  test("players come back after they left, in the plaza too", async () => {
    await using stage = await openStage();
    const enough = new AbortController();
    const report = await runBots({
      ...settings,
      brokerUrl: stage.url,
      scenario: "churn",
      roomType: "plaza",
      durationMs: 50_000,
      signal: enough.signal,
      onProgress: ({ joins }) => {
        if (joins.ok > 8) enough.abort();
      },
    });
    expect(report.joins.ok).toBeGreaterThan(8);
    expect(report.messages).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
  }, 90_000);

  test("cameras wait for what the room sees in their pictures, and count each answer once", async () => {
    await using stage = await openStage();
    const enough = new AbortController();
    const report = await runBots({
      ...settings,
      players: 2,
      rooms: 1,
      workers: 1,
      brokerUrl: stage.url,
      scenario: "vision",
      durationMs: 50_000,
      signal: enough.signal,
      onProgress: ({ rtt }) => {
        if (rtt.samples > 5) enough.abort();
      },
    });
    expect(report).toMatchObject({ roomType: "vision", errors: {} });
    expect(report.messages).toMatchObject({ lost: 0, duplicated: 0, reordered: 0, corrupted: 0 });
    expect(report.rtt.samples).toBeGreaterThan(5);
  }, 90_000);

  test("finds out a room that drops, doubles and swaps messages", async () => {
    await using stage = await openStage(join(import.meta.dirname, "cheating-rooms"));
    const enough = new AbortController();
    const { messages } = await runBots({
      ...settings,
      brokerUrl: stage.url,
      scenario: "regional",
      durationMs: 50_000,
      signal: enough.signal,
      onProgress: ({ messages: { received } }) => {
        if (received > 300) enough.abort();
      },
    });
    expect(messages.lost).toBeGreaterThan(0);
    expect(messages.duplicated).toBeGreaterThan(0);
    expect(messages.reordered).toBeGreaterThan(0);
  }, 90_000);

  test("a room host that dies is an error with a code, and what was in flight counts as lost", async () => {
    await using stage = await openStage();
    const { pair, url } = stage;
    const enough = new AbortController();
    let killed = false;
    const report = await runBots({
      ...settings,
      brokerUrl: url,
      scenario: "regional",
      durationMs: 50_000,
      signal: enough.signal,
      onProgress: ({ playing, errors }) => {
        const { pid } = pair.carriers.a;
        if (errors.LEFT_4002 === settings.players) enough.abort();
        if (playing < settings.players || killed || pid === undefined) return;
        killed = true;
        process.kill(pid, "SIGKILL");
      },
    });
    expect(killed).toBe(true);
    expect(report.errors).toMatchObject({ LEFT_4002: settings.players });
    expect(report.messages.lost).toBeGreaterThan(0);
  }, 90_000);

  test("abort ends the run early, with a report and closed books", async () => {
    await using stage = await openStage();
    const abort = new AbortController();
    const started = performance.now();
    const report = await runBots({
      ...settings,
      brokerUrl: stage.url,
      scenario: "regional",
      durationMs: 600_000,
      signal: abort.signal,
      onProgress: ({ messages }) => {
        if (messages.sent > 20) abort.abort();
      },
    });
    expect(performance.now() - started).toBeLessThan(200_000);
    expect(report.messages).toMatchObject({ lost: 0, duplicated: 0 });
  }, 240_000);

  test("options that make no sense are refused with the reason", async () => {
    await expect(
      runBots({ ...settings, brokerUrl: "nowhere", scenario: "regional", durationMs: 5_000 }),
    ).rejects.toMatchObject({ code: "CONFIG_INVALID" });
  });
});
