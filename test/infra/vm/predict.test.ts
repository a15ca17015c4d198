/** The cost model of a migration, the choice of mode and what is learned from outcomes. */
import { chooseMode, MigrationPredictor, predictMigration } from "@centroid/infra";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const mebibyte = 2 ** 20;

describe("pre-copy model", () => {
  it("sends an idle guest's memory once", () => {
    const cost = { memoryBytes: 100e6, dirtyBytesPerS: 0, bandwidthBytesPerS: 100e6, maxDowntimeMs: 30 };
    expect(predictMigration(cost)).toEqual({ converges: true, totalMs: 1000, bytes: 100e6, iterations: 2 });
  });

  it("adds up the passes of a guest that writes at half the bandwidth", () => {
    const cost = { memoryBytes: 64e6, dirtyBytesPerS: 50e6, bandwidthBytesPerS: 100e6, maxDowntimeMs: 10 };
    // 64 + 32 + 16 + 8 + 4 + 2 MB, and the last 1 MB, which 10 ms can carry.
    expect(predictMigration(cost)).toMatchObject({ converges: true, bytes: 127e6, iterations: 7 });
  });

  it("sees that a guest which writes faster than the link carries never ends", () => {
    const cost = { memoryBytes: 64e6, dirtyBytesPerS: 120e6, bandwidthBytesPerS: 100e6, maxDowntimeMs: 30 };
    const prediction = predictMigration(cost);
    expect(prediction.converges).toBe(false);
    expect(chooseMode(prediction, 60_000).mode).toBe("hybrid");
  });

  it("chooses pre-copy only with room to spare before the deadline", () => {
    const cost = { memoryBytes: 100e6, dirtyBytesPerS: 0, bandwidthBytesPerS: 100e6, maxDowntimeMs: 30 };
    expect(chooseMode(predictMigration(cost), 2500).mode).toBe("precopy");
    expect(chooseMode(predictMigration(cost), 1500).mode).toBe("hybrid");
  });

  it("never predicts less work for a guest that writes more", () => {
    const bytes = fc.integer({ min: mebibyte, max: 4096 * mebibyte });
    fc.assert(
      fc.property(bytes, bytes, bytes, bytes, (memoryBytes, bandwidthBytesPerS, a, b) => {
        const at = (dirtyBytesPerS: number) =>
          predictMigration({ memoryBytes, bandwidthBytesPerS, dirtyBytesPerS, maxDowntimeMs: 30 });
        const [calm, busy] = [at(Math.min(a, b)), at(Math.max(a, b))];
        if (busy.converges) expect(calm.bytes).toBeLessThanOrEqual(busy.bytes);
        else expect(calm.converges || !busy.converges).toBe(true);
      }),
    );
  });
});

describe("learning per pair of hosts", () => {
  const cost = { memoryBytes: 150e6, dirtyBytesPerS: 0, maxDowntimeMs: 30 };

  it("comes closer to how migrations turn out, and only between these two hosts", () => {
    const predictor = new MigrationPredictor();
    const untouched = predictor.predict("b", "a", cost).totalMs;
    const real = 4000;
    const errors: number[] = [];
    for (let i = 0; i < 20; i++) {
      const predictedMs = predictor.predict("a", "b", cost).totalMs;
      errors.push(Math.abs(predictedMs - real));
      predictor.learn("a", "b", { predictedMs, totalMs: real, bytes: 150e6 });
    }
    expect(errors.at(-1)!).toBeLessThan(errors[0]! / 5);
    expect(predictor.predict("b", "a", cost).totalMs).toBe(untouched);
  });

  it("learns nothing from a migration that moved nothing", () => {
    const predictor = new MigrationPredictor();
    const before = predictor.predict("a", "b", cost);
    predictor.learn("a", "b", { predictedMs: 0, totalMs: 10, bytes: 0 });
    expect(predictor.predict("a", "b", cost)).toEqual(before);
  });
});
