/**
 * Short runs of the chaos suite, always with the same seed, over either store: processes killed at moments of moves.
 * Faults that overlap freely are for `npm run chaos`.
 */
import { expect, it } from "vitest";
import { chaos } from "./run.js";

it.each(["redis", "embedded"] as const)(
  "whatever is killed in a move, everything said is heard once and every room has one owner (%s)",
  async (store) => {
    const result = await chaos({
      seed: 7,
      forMs: 12_000,
      store,
      lanes: 0,
      faults: ["broker killed", "host killed"],
    });
    expect(result.violations).toEqual([]);
    expect(result.sent).toBeGreaterThan(300);
    expect(result.moves).toBeGreaterThan(0);
  },
  180_000,
);
