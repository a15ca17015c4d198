/** Which of several deployments is nearest: by the round trip to its nearest host. */
import { type Beacon, CentroidError } from "@centroid/protocol";
import { Prober } from "./prober.js";

/**
 * Mean round trip to the nearest of these hosts, ms.
 * @throws CentroidError NO_HOST if none answers within `withinMs`
 */
export async function nearestRttMs(
  beaconsOf: () => Promise<readonly Beacon[]>,
  withinMs: number,
): Promise<number> {
  const prober = new Prober();
  const late = setTimeout(() => prober[Symbol.dispose](), withinMs);
  try {
    const reports = await prober.measureSoon(await beaconsOf());
    const means = reports.flatMap(({ rttsMs }) =>
      rttsMs.length === 0 ? [] : [rttsMs.reduce((sum, rttMs) => sum + rttMs, 0) / rttsMs.length],
    );
    if (means.length === 0) throw new CentroidError("NO_HOST", `no host answered within ${withinMs} ms`);
    return Math.min(...means);
  } finally {
    clearTimeout(late);
    prober[Symbol.dispose]();
  }
}

/** @throws CentroidError NO_HOST, with what each of them said, if none can be measured */
export async function nearestOf<T>(all: readonly Promise<{ one: T; rttMs: number }>[]): Promise<T> {
  const measured = await Promise.allSettled(all);
  const reached = measured.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const [nearest] = reached.sort((one, other) => one.rttMs - other.rttMs);
  if (nearest !== undefined) return nearest.one;
  const reasons = measured.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  throw new CentroidError("NO_HOST", "none of these deployments answers", {
    cause: new AggregateError(reasons),
  });
}
