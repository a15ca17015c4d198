/** Whose silence counts, and what a broker reads when it takes over: parts by themselves, on a clock of the test's own. */
import { expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { Takeover } from "../../server/broker/dist/failover/takeover.js";
import { HostRegistry } from "../../server/broker/dist/hosts/host-registry.js";
import { HostLiveness } from "../../server/broker/dist/hosts/liveness.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} } as never;

it("counts no host as lost while the other brokers cannot be asked, and only as long a silence after that (FAIL-2)", () => {
  let nowMs = 0;
  let reachable = true;
  const hosts = new HostRegistry();
  const liveness = new HostLiveness({
    hosts,
    events: new Emitter(),
    cluster: { publish: () => undefined, reachable: () => reachable },
    clock: { now: () => nowMs, after: () => () => undefined },
    logger,
    lostAfterMs: 1_600,
    leaseMs: 1_280,
    agentRestartMs: 0,
    forgetAfterMs: 60_000,
  });
  const link = { hostId: "a", close: () => undefined };
  liveness.hello({ type: "hello", hostId: "a", carriers: ["process"], rooms: [] } as never, link as never);
  const sweepFor = (ms: number): void => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 100) liveness.sweep();
  };
  const state = (): string | undefined => hosts.get("a")?.stage.state;
  sweepFor(1_000);
  reachable = false;
  sweepFor(5_000);
  reachable = true;
  sweepFor(1_500);
  expect(state()).toBe("active");
  sweepFor(500);
  expect(state()).toBe("lost");
});

it("reads the store once for all shards that it takes over while the store is slow, and again for later ones (BRK-4)", async () => {
  const answers: (() => void)[] = [];
  const store = {
    rooms: () => new Promise((resolve) => answers.push(() => resolve([]))),
    openMigrations: async () => [],
  };
  const rest = {
    rooms: new Map(),
    records: { takeOver() {} },
    openMoves: { release() {} },
    owns: () => true,
  };
  const takeover = new Takeover({ ...rest, store, logger } as never);
  const { signal } = new AbortController();
  const first = takeover.takeOver([1], signal);
  await takeover.takeOver([2, 3], signal);
  await takeover.takeOver([4], signal);
  expect(answers.length).toBe(1);
  answers[0]?.();
  await expect.poll(() => answers.length).toBe(2);
  answers[1]?.();
  await first;
  expect(answers.length).toBe(2);
});
