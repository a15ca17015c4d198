/** Leases are short for brokers that renew in time, longer for those that cannot, and never beyond what Redis waits for. */
import fc from "fast-check";
import { expect, it } from "vitest";
import {
  LEAST_LEASE_MS,
  LeaseLength,
  LONGEST_LEASE_MS,
} from "../../server/broker/dist/cluster/lease-length.js";

it("is the shortest while grants come in time, however long that goes on", () => {
  const lease = new LeaseLength();
  for (let atMs = 0; atMs < 600_000; atMs += 400) lease.granted(atMs, 420);
  expect(lease.ms).toBe(LEAST_LEASE_MS);
});

it("grows at the first narrow escape, and is short again once it has been calm", () => {
  const lease = new LeaseLength();
  lease.granted(1_000, 1_200);
  expect(lease.ms).toBe(4_800);
  lease.granted(1_400, 400);
  expect(lease.ms).toBe(4_800);
  for (let atMs = 1_800; atMs < 70_000; atMs += 400) lease.granted(atMs, 400);
  expect(lease.ms).toBe(LEAST_LEASE_MS);
});

it("outlasts a gap that comes again, and stays within its bounds", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1 }), (gapsMs) => {
      const lease = new LeaseLength();
      let nowMs = 0;
      for (const gapMs of gapsMs) {
        nowMs += gapMs;
        lease.granted(nowMs, gapMs);
        expect(lease.ms).toBeGreaterThanOrEqual(
          Math.max(LEAST_LEASE_MS, Math.min(gapMs * 2, LONGEST_LEASE_MS)),
        );
        expect(lease.ms).toBeLessThanOrEqual(LONGEST_LEASE_MS);
      }
    }),
  );
});
