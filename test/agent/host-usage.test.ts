/** What a host says of its load: all its processes together, over a second at least. */
import { expect, it } from "vitest";
import { HostUsage } from "../../infra/agent/dist/host-usage.js";

it("is the share of all cores that the agent and its rooms took in the last window", () => {
  let nowMs = 500;
  const own = { cpuMicros: 0, rssBytes: 10 };
  const rooms = { cpuMicros: 0, rssBytes: 200 };
  const usage = new HostUsage({
    ...{ carriers: [{ usage: () => rooms }, { usage: () => ({ cpuMicros: 0, rssBytes: 3_000 }) }], cores: 2 },
    ...{ own: () => ({ ...own }), now: () => nowMs },
  });
  expect(usage.get()).toEqual({ load: 0, rssBytes: 10 });
  own.cpuMicros = 500_000;
  rooms.cpuMicros = 1_000_000;
  nowMs = 1_499;
  expect(usage.get()).toEqual({ load: 0, rssBytes: 10 });
  nowMs = 2_500;
  expect(usage.get()).toEqual({ load: 0.375, rssBytes: 3_210 });
  // Only what was used since.
  rooms.cpuMicros += 200_000;
  nowMs = 3_500;
  expect(usage.get().load).toBeCloseTo(0.1);
  // A process that ended took its time with it; one that is new may have used more than there is.
  rooms.cpuMicros = 0;
  nowMs = 4_500;
  expect(usage.get().load).toBe(0);
  rooms.cpuMicros = 99_000_000;
  nowMs = 5_500;
  expect(usage.get().load).toBe(1);
});
