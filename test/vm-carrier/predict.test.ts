/** The cost model of a migration, the choice of mode and what is learned from outcomes. */
import { chooseMode, MigrationPredictor, type Prediction, predictMigration } from "@centroid/vm-carrier";
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
  const cost = { memoryBytes: 268e6, dirtyBytesPerS: 0, maxDowntimeMs: 30 };
  /** A pair of hosts that is not like what is assumed of an unknown one. */
  const real = { setupMs: 1500, bytes: 160e6, busyMs: 2500 };
  const outcome = (predicted: Prediction) => ({
    predicted,
    totalMs: real.setupMs + real.busyMs,
    setupMs: real.setupMs,
    bytes: real.bytes,
    switched: false,
  });
  const taught = (times: number): MigrationPredictor => {
    const predictor = new MigrationPredictor();
    for (let i = 0; i < times; i++) predictor.learn("a", "b", outcome(predictor.predict("a", "b", cost)));
    return predictor;
  };

  it("comes to within a tenth of how migrations turn out, and only in this direction", () => {
    const untouched = new MigrationPredictor().predict("b", "a", cost);
    const predictor = taught(20);
    const { totalMs, bytes } = predictor.predict("a", "b", cost);
    expect(Math.abs(totalMs / (real.setupMs + real.busyMs) - 1)).toBeLessThan(0.1);
    expect(Math.abs(bytes / real.bytes - 1)).toBeLessThan(0.1);
    expect(predictor.predict("b", "a", cost)).toEqual(untouched);
  });

  it("learns what was wrong with the prediction of a guest that ends in post-copy, apart from pre-copy", () => {
    const busy = { ...cost, dirtyBytesPerS: 1e9 };
    const predictor = new MigrationPredictor();
    const before = predictor.predict("a", "b", cost).totalMs;
    for (let i = 0; i < 20; i++) {
      const predicted = predictor.predict("a", "b", busy);
      const { bytes } = predicted;
      // The link gives what is assumed of it, but faults are slow.
      const busyMs = (bytes / 100e6) * 1000;
      predictor.learn("a", "b", {
        predicted,
        totalMs: 700 + 2 * busyMs,
        setupMs: 700,
        bytes,
        switched: true,
      });
    }
    const share = predictor.predict("a", "b", busy).totalMs / (700 + (4 * 268e6) / 100e3);
    expect(share).toBeGreaterThan(0.9);
    expect(share).toBeLessThan(1.1);
    // What was learned of the link holds for both.
    expect(predictor.predict("a", "b", cost).totalMs).toBeGreaterThan(before);
  });

  it("knows the same after it was kept and read, and nothing from what cannot be read", () => {
    const kept: unknown = JSON.parse(JSON.stringify(taught(3)));
    expect(new MigrationPredictor(kept).predict("a", "b", cost)).toEqual(taught(3).predict("a", "b", cost));
    const nothing = new MigrationPredictor().predict("a", "b", cost);
    expect(new MigrationPredictor({ "a b": { bandwidthBytesPerS: -1 } }).predict("a", "b", cost)).toEqual(
      nothing,
    );
  });

  it("learns nothing from a migration that moved nothing", () => {
    const predictor = new MigrationPredictor();
    const predicted = predictor.predict("a", "b", cost);
    predictor.learn("a", "b", { predicted, totalMs: 10, setupMs: 5, bytes: 0, switched: false });
    expect(predictor.predict("a", "b", cost)).toEqual(predicted);
  });

  it("stays finite and above zero whatever happens", () => {
    const size = fc.double({ min: 1, max: 1e12, noNaN: true });
    const seen = fc.record({ totalMs: size, setupMs: size, bytes: size, switched: fc.boolean() });
    fc.assert(
      fc.property(fc.array(seen, { maxLength: 30 }), size, (outcomes, dirtyBytesPerS) => {
        const predictor = new MigrationPredictor();
        for (const it of outcomes) {
          const predicted = predictor.predict("a", "b", { ...cost, dirtyBytesPerS });
          predictor.learn("a", "b", { predicted, ...it });
        }
        const { totalMs, bytes } = predictor.predict("a", "b", { ...cost, dirtyBytesPerS });
        expect(totalMs).toBeGreaterThan(0);
        expect(bytes).toBeGreaterThan(0);
        expect(Number.isFinite(totalMs) && Number.isFinite(bytes)).toBe(true);
      }),
    );
  });
});
