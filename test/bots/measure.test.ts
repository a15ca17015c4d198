/** The bots' own instruments, against brute force. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Distribution } from "../../client/bots/dist/measure/quantile.js";
import { SequenceCheck } from "../../client/bots/dist/measure/sequence-check.js";
import { SilenceMeter } from "../../client/bots/dist/measure/silence-meter.js";
import { JoinQueue } from "../../client/bots/dist/player/join-queue.js";

describe("Distribution", () => {
  test("quantiles are within 2 % of the sorted list's", () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.02, max: 60_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (values, q) => {
          const distribution = new Distribution();
          for (const value of values) distribution.add(value);
          const sorted = [...values].sort((a, b) => a - b);
          const exact = sorted[Math.max(0, Math.ceil(q * values.length) - 1)]!;
          expect(Math.abs(distribution.quantile(q)! - exact)).toBeLessThanOrEqual(0.02 * exact);
          expect(distribution.max).toBe(sorted.at(-1));
        },
      ),
    );
  });

  test("has no quantile without values, and zero for zeros", () => {
    const distribution = new Distribution();
    expect(distribution.quantile(0.5)).toBeUndefined();
    distribution.add(0);
    expect(distribution.quantile(0.99)).toBe(0);
  });
});

describe("SequenceCheck", () => {
  test("knows what was dropped, doubled and swapped", () => {
    const fate = fc.constantFrom("ok", "ok", "ok", "drop", "double", "late");
    fc.assert(
      fc.property(fc.array(fate, { maxLength: 60 }), fc.nat(1000), (fates, base) => {
        const check = new SequenceCheck(base);
        const delivered: number[] = [];
        let late: number | undefined;
        fates.forEach((what, i) => {
          const n = base + 1 + i;
          if (what === "late" && late === undefined) {
            late = n;
            return;
          }
          if (what !== "drop") delivered.push(n);
          if (what === "double") delivered.push(n);
          if (late !== undefined && what !== "drop") {
            delivered.push(late);
            late = undefined;
          }
        });
        const pending = late === undefined ? 0 : 1;
        for (const n of delivered) check.record(n);
        const drops = fates.filter((f) => f === "drop").length + pending;
        expect(check.lost(base + fates.length)).toBe(drops);
        expect(check.duplicated).toBe(fates.filter((f) => f === "double").length);
        expect(check.received).toBe(delivered.length);
        expect(check.reordered).toBe(
          delivered.filter(
            (n, i) => delivered.slice(0, i).some((m) => m > n) && !delivered.slice(0, i).includes(n),
          ).length,
        );
      }),
    );
  });
});

describe("SilenceMeter", () => {
  test("finds the silence around a move and what of it is beyond the usual gap", () => {
    const meter = new SilenceMeter();
    const gaps = [...Array(20).fill(50), 85, ...Array(10).fill(50)];
    let now = 0;
    for (const gap of gaps) {
      now += gap;
      meter.update(now);
    }
    const moved = 20 * 50 + 80;
    expect(meter.around(moved)).toEqual({ longestMs: 85, beyondTickMs: 35 });
  });
});

describe("JoinQueue", () => {
  test("never lets more join at a time, lets all join in their order, and knows who has waited", async () => {
    const queue = new JoinQueue(3);
    const order: number[] = [];
    let [now, most] = [0, 0];
    const joins = Array.from({ length: 20 }, (_, at) =>
      queue.run(async (waitedMs) => {
        order.push(at);
        most = Math.max(most, ++now);
        await new Promise((resolve) => setTimeout(resolve, 2));
        now--;
        // Who fails makes way, too.
        if (at % 2 === 0) throw new Error("refused");
        return waitedMs;
      }),
    );
    const ended = await Promise.allSettled(joins);
    expect(most).toBe(3);
    expect(order).toEqual(ended.map((_, at) => at));
    expect(ended.filter(({ status }) => status === "fulfilled")).toHaveLength(10);
    expect(ended[19]).toMatchObject({ value: expect.toSatisfy((waitedMs: number) => waitedMs > 1) });
  });
});
