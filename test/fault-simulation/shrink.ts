/** What is left of a run's actions when everything is taken out that its violation does not need. */
import type { Action } from "./plan.js";
import type { Programs } from "./program.js";
import { type Simulated, simulate } from "./simulate.js";

/** What kind of promise a line is about. */
export const kindOf = (violation: string): string => violation.split(":")[0] ?? "";

/** Takes one action out after the other, as long as a violation of the same kind remains. */
export async function shrink(programs: Programs, found: Simulated): Promise<Simulated> {
  const kind = kindOf(found.violations[0] ?? "");
  let best = found;
  for (let at = best.actions.length - 1; at >= 0; at--) {
    const fewer = best.actions.filter((_, index) => index !== at);
    const again = await simulate(programs, found.seed, { actions: fewer, ...found.surroundings });
    if (again.violations.some((violation) => kindOf(violation) === kind)) best = again;
  }
  let shorter = true;
  while (shorter) {
    shorter = false;
    for (const [at, action] of best.actions.entries()) {
      const half = halved(action);
      if (half === undefined) continue;
      const again = await simulate(programs, found.seed, {
        actions: best.actions.with(at, half),
        ...found.surroundings,
      });
      if (!again.violations.some((violation) => kindOf(violation) === kind)) continue;
      best = again;
      shorter = true;
    }
  }
  return best;
}

/** A fault lasts at least so long. */
const LEAST_FAULT_MS = 100;

function halved(action: Action): Action | undefined {
  if (!("forMs" in action) || action.forMs / 2 < LEAST_FAULT_MS) return undefined;
  return { ...action, forMs: action.forMs / 2 };
}
