/** What others do, judged by its own rule: each choice is recomputed from the raw matrix by brute force. */
import { readFileSync } from "node:fs";
import { ABSENT, DEFAULT_SIMULATION, nodesAt, readRttMatrix, SimulationStage } from "@centroid/placement";
import { describe, expect, it } from "vitest";

const matrix = readRttMatrix(
  readFileSync(new URL("../../data/planetlab-rtt-1.csv", import.meta.url), "utf8"),
);
const stage = new SimulationStage([matrix], {
  ...DEFAULT_SIMULATION,
  hosts: 12,
  steps: 60,
  noise: 0,
  seed: 7,
});
const HOSTS = stage.hosts.map((_, h) => h);

/** Round trips of those present at a step, by host. */
function rttsAt(room: number, step: number): number[][] {
  const present = [...nodesAt(stage.trace(room), step)].filter((node) => node !== ABSENT);
  return HOSTS.map((h) =>
    present.map((node) => matrix.rttMs[node * matrix.size + (stage.hosts[h] ?? 0)] ?? 0),
  );
}
const mean = (rtts: readonly number[]): number => rtts.reduce((sum, ms) => sum + ms, 0) / rtts.length;
const pathOf = (policy: Parameters<SimulationStage["baselinePath"]>[0], room: number): Int32Array =>
  stage.baselinePath(policy, room, stage.trace(room));
const ROOMS = Array.from({ length: 10 }, (_, room) => room);

describe.each(ROOMS)("room %i", (room) => {
  const start = rttsAt(room, 0);

  it("gamelift: lowest mean among the hosts that keep the strictest cap that any host keeps", () => {
    const cap = [50, 100, 200, Number.POSITIVE_INFINITY].find((ms) =>
      start.some((of) => Math.max(...of) <= ms),
    );
    const allowed = start.filter((of) => Math.max(...of) <= (cap ?? 0)).map(mean);
    const chosen = start[pathOf("gamelift", room)[0] ?? -1] ?? [];
    expect(Math.max(...chosen)).toBeLessThanOrEqual(cap ?? 0);
    expect(mean(chosen)).toBeCloseTo(Math.min(...allowed), 9);
  });

  it("greedy-assignment: shortest longest way from one player over the server to another", () => {
    const longest = (of: readonly number[]): number =>
      Math.max(...of.flatMap((a, i) => of.map((b, j) => (i === j ? 0 : a + b))));
    const chosen = start[pathOf("greedy-assignment", room)[0] ?? -1] ?? [];
    expect(longest(chosen)).toBeCloseTo(Math.min(...start.map(longest)), 9);
  });

  it("core-selection: least mean whenever the group has changed, and no move otherwise", () => {
    const path = pathOf("core-selection", room);
    const trace = stage.trace(room);
    for (let step = 0; step < trace.steps; step++) {
      const changed = step === 0 || `${nodesAt(trace, step)}` !== `${nodesAt(trace, step - 1)}`;
      const means = rttsAt(room, step).map(mean);
      if (changed) expect(means[path[step] ?? -1]).toBeCloseTo(Math.min(...means), 9);
      else expect(path[step]).toBe(path[step - 1]);
    }
  });

  it("request-region: always at the host nearest to somebody present", () => {
    pathOf("request-region", room).forEach((host, step) => {
      const rtts = rttsAt(room, step);
      const nearest = (rtts[0] ?? []).map((_, p) => Math.min(...rtts.map((of) => of[p] ?? 0)));
      expect(nearest).toContain(rtts[host]?.find((ms, p) => ms === nearest[p]));
    });
  });
});
