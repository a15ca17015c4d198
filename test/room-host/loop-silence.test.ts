/** When a room host's event loop counts as hung: not because its machine is full. */
import { expect, it } from "vitest";
import { LoopSilence, mainThreadWaitedMs } from "../../infra/room-host/dist/activity/loop-silence.js";

it("counts from the last turn, without the time spent waiting for a core", () => {
  let waitedMs = 500;
  const silence = new LoopSilence(0, () => waitedMs);
  expect(silence.look(100, 7)).toBe(0);
  expect(silence.look(1_100, 7)).toBe(1_000);
  waitedMs += 900;
  expect(silence.look(2_100, 7)).toBe(1_100);
  waitedMs += 7_000;
  expect(silence.look(9_100, 7)).toBe(9_000 - 3_500);
  expect(silence.look(9_200, 8)).toBe(0);
  expect(silence.look(9_500, 8)).toBe(300);
});

it("forgives what the whole process stood still for", () => {
  const silence = new LoopSilence(0, () => 0);
  silence.look(0, 1);
  silence.excuse();
  expect(silence.look(60_000, 1)).toBe(0);
  expect(silence.look(61_000, 1)).toBe(1_000);
});

it("does not count what the same process waited for before it was moved to another host", () => {
  let waitedMs = 5_000;
  const silence = new LoopSilence(0, () => waitedMs);
  silence.look(0, 1);
  waitedMs = 10;
  expect(silence.look(200, 1)).toBe(0);
  expect(silence.look(700, 1)).toBe(500);
});

it.runIf(process.platform === "linux")("Linux says how long the main thread has waited", () => {
  const beforeMs = mainThreadWaitedMs();
  expect(beforeMs).toBeGreaterThan(0);
  expect(mainThreadWaitedMs()).toBeGreaterThanOrEqual(beforeMs);
});
