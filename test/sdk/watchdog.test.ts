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
