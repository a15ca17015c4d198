/** A short run of the chaos suite, always with the same faults. */
import { expect, it } from "vitest";
import { chaos } from "./run.js";

it("whatever dies for a while, every session lives on and everything said is heard once", async () => {
  const result = await chaos({ seed: 7, forMs: 15_000 });
  expect(result.violations).toEqual([]);
  expect(result.said).toBeGreaterThan(500);
  expect(Object.keys(result.faults).length).toBeGreaterThan(2);
}, 180_000);
