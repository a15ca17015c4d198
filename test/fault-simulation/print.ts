/** A run for a person: what was done, what came of it, and the part of the history that tells. */
import type { Entry } from "./history.js";
import { describe } from "./plan.js";
import type { Simulated } from "./simulate.js";

/** So many in a row that everything else would drown in them. */
const CROWD = new Set<Entry["type"]>(["tick", "said", "applied", "heard", "acknowledged"]);

/** @param whole ticks and messages too */
export function print({ seed, hash, actions, history, violations }: Simulated, whole = false): string[] {
  return [
    `seed ${seed}, history ${hash}`,
    ...actions.map((action) => `  ${describe(action)}`),
    ...violations.map((violation) => `VIOLATION ${violation}`),
    ...history.filter(({ type }) => whole || !CROWD.has(type)).map(line),
  ];
}

function line({ atMs, type, ...rest }: Entry): string {
  const details = Object.entries(rest).map(([name, value]) => `${name} ${String(value)}`);
  return `${atMs.toFixed(1).padStart(9)}  ${type}: ${details.join(", ")}`;
}
