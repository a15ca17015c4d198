/** A host that says anything at all is there; one that stops to is missed. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Watchdog } from "../../client/sdk/dist/watchdog.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function watched() {
  const seen: string[] = [];
  const watchdog = new Watchdog(
    () => seen.push("silent"),
    () => seen.push("heard"),
  );
  return { seen, watchdog };
}

it("frames count as signs of life", () => {
  const { seen, watchdog } = watched();
  watchdog.alive();
  for (let at = 0; at < 10; at++) {
    vi.advanceTimersByTime(1_000);
    watchdog.heard();
  }
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1_499);
  expect(seen).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(seen).toEqual(["silent"]);
  watchdog.heard();
  expect(seen).toEqual(["silent", "heard"]);
  vi.advanceTimersByTime(1_500);
  expect(seen).toEqual(["silent", "heard", "silent"]);
});

it("a host that promised nothing is not missed", () => {
  const { seen, watchdog } = watched();
  watchdog.heard();
  vi.advanceTimersByTime(10_000);
  watchdog.alive();
  watchdog.stop();
  vi.advanceTimersByTime(10_000);
  expect(seen).toEqual([]);
});

it("a program that stood still itself reads first what has arrived meanwhile", () => {
  const { seen, watchdog } = watched();
  /** The timer ends by so much too late. */
  const lateBy = (ms: number): void => {
    const now = performance.now();
    const clock = vi.spyOn(performance, "now").mockReturnValue(now + 1_500 + ms);
    vi.advanceTimersByTime(1_500);
    clock.mockRestore();
  };
  watchdog.alive();
  lateBy(1_000);
  expect(seen).toEqual([]);
  watchdog.heard();
  vi.advanceTimersByTime(1_400);
  expect(seen).toEqual([]);
  // With nothing to read the host is silent.
  vi.advanceTimersByTime(100);
  expect(seen).toEqual(["silent"]);
  watchdog.heard();
  lateBy(1_000);
  vi.advanceTimersByTime(200);
  expect(seen).toEqual(["silent", "heard", "silent"]);
});
