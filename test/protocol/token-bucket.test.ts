/** One token bucket limits requests, frames and bytes: so many at once, so many a second, or no limit. */
import { TokenBucket } from "@centroid/protocol";
import { expect, it } from "vitest";

it("admits a burst, then its rate, and takes nothing for what it refuses", () => {
  const bucket = new TokenBucket({ perSecond: 2, burst: 3 }, 0);
  expect([bucket.take(0, 4), bucket.take(0, 3), bucket.take(0)]).toEqual([false, true, false]);
  expect([bucket.take(499), bucket.take(500), bucket.take(500)]).toEqual([false, true, false]);
  expect([bucket.has(3_600_000, 3), bucket.has(3_600_000, 4)]).toEqual([true, false]);
});

it("admits everything where rate and burst are endless, however little time passes", () => {
  const endless = Number.POSITIVE_INFINITY;
  const bucket = new TokenBucket({ perSecond: endless, burst: endless }, 7);
  expect(Array.from({ length: 100 }, () => bucket.take(7)).every(Boolean)).toBe(true);
});
