/** Short runs of the chaos suite, always with the same seed, over either store. */
import { expect, it } from "vitest";
import { chaos } from "./run.js";

it.each(["redis", "embedded"] as const)(
  "whatever fails at once and whenever, everything said is heard once and every room has one owner (%s)",
  async (store) => {
    const result = await chaos({ seed: 7, forMs: 15_000, store });
    expect(result.violations).toEqual([]);
    expect(result.sent).toBeGreaterThan(500);
    expect(Object.keys(result.faults).length).toBeGreaterThan(3);
  },
  180_000,
);
