/** When room hosts are told how long they may run rooms: at each change of what brokers say, and not in between. */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { LeaseRenewal } from "../../infra/agent/dist/lease-renewal.js";

const LEASE_MS = 1_000;

beforeEach(() => {
  vi.useFakeTimers({
    toFake: ["setTimeout", "clearTimeout", "setImmediate", "clearImmediate", "performance"],
  });
});
afterEach(() => {
  vi.useRealTimers();
});

function renewal() {
  const untilMs = { lease: 0, absence: 0 };
  const told: { atMs: number; forMs: number }[] = [];
  const leftMs = (until: number, now: number): number => Math.max(0, until - now);
  const broker = {
    leaseMs: LEASE_MS,
    leaseLeftMs: (now: number) => leftMs(untilMs.lease, now),
    vouchedLeftMs: (now: number) => leftMs(untilMs.lease, now),
    absenceLeftMs: (now: number) => leftMs(untilMs.absence, now),
  };
  const lease = new LeaseRenewal([broker], (forMs) => told.push({ atMs: performance.now(), forMs }));
  return { untilMs, told, lease };
}

it("is told once for each answer, after the turn in which that came, and nothing runs in between", () => {
  const { untilMs, told, lease } = renewal();
  untilMs.lease = performance.now() + 900;
  lease.changed();
  lease.changed();
  expect(told).toEqual([]);
  vi.advanceTimersByTime(0);
  expect(told).toMatchObject([{ forMs: 900 }]);
  expect(vi.getTimerCount()).toBe(0);
  vi.advanceTimersByTime(300);
  untilMs.lease += 300;
  lease.changed();
  vi.advanceTimersByTime(LEASE_MS);
  expect(told).toMatchObject([{ forMs: 900 }, { forMs: 900 }]);
});

it("is told of a shorter one, too", () => {
  const { untilMs, told, lease } = renewal();
  untilMs.lease = performance.now() + 900;
  lease.changed();
  vi.advanceTimersByTime(100);
  untilMs.lease = performance.now() + 200;
  lease.changed();
  vi.advanceTimersByTime(0);
  expect(told.map(({ forMs }) => forMs)).toEqual([900, 200]);
});

it("is told again and again while a broker that has ended left more than may be told at once (OWN-10)", () => {
  const { untilMs, told, lease } = renewal();
  const startMs = performance.now();
  untilMs.lease = startMs + 5_000;
  lease.changed();
  vi.advanceTimersByTime(10_000);
  const ends = told.map(({ atMs, forMs }) => atMs + forMs - startMs);
  expect(Math.max(...told.map(({ forMs }) => forMs))).toBe(LEASE_MS);
  expect(ends.at(-1)).toBe(5_000);
  // Never over in between.
  for (const [at, { atMs }] of told.entries()) expect(atMs - startMs).toBeLessThan(ends[at - 1] ?? Infinity);
});

it("does not begin anew by the absence of a broker once it was over (OWN-9)", () => {
  const { untilMs, told, lease } = renewal();
  untilMs.lease = performance.now() + 500;
  lease.changed();
  vi.advanceTimersByTime(600);
  untilMs.absence = performance.now() + 2_000;
  lease.changed();
  vi.advanceTimersByTime(3_000);
  expect(told).toHaveLength(1);
});
