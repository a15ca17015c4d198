/**
 * Short runs of the chaos suite, always with the same seed, over either store: processes killed at moments of moves.
 * Faults that overlap freely are for `npm run chaos`.
 */
import { expect, it } from "vitest";
import { chaos } from "./run.js";

// The seed says what is killed, the machine when. What a run finds is printed.
it.each(["redis", "embedded"] as const)(
  "whatever is killed in a move, everything said is heard once and every room has one owner (%s)",
  // What is wrong is known three minutes after the last fault.
  { timeout: 420_000 },
  async (store) => {
    const said: string[] = [];
    const result = await chaos({
      seed: 7,
      forMs: 12_000,
      store,
      lanes: 0,
      faults: ["broker killed", "host killed"],
      say: (line) => said.push(line),
    });
    if (result.violations.length > 0) console.error([...said, ...result.violations].join("\n"));
    expect(result.violations).toEqual([]);
    expect(result.sent).toBeGreaterThan(300);
    expect(result.moves).toBeGreaterThan(0);
  },
);
