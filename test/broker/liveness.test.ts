/** Whose silence counts, and what a broker reads when it takes over: parts by themselves, on a clock of the test's own. */
import { describe, expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { Takeover } from "../../server/broker/dist/failover/takeover.js";
import { HostRegistry } from "../../server/broker/dist/hosts/host-registry.js";
import { HostLiveness } from "../../server/broker/dist/hosts/liveness.js";

const logger = { debug() {}, info() {}, warn() {}, error() {} } as never;

/** A broker that has heard hello of one host. */
function hostSeenBy(now: () => number, reachable = (): boolean => true) {
  const hosts = new HostRegistry();
  const liveness = new HostLiveness({
    hosts,
    events: new Emitter(),
    cluster: { publish: () => undefined, reachable, others: () => [] },
    clock: { now, after: () => () => undefined },
    logger,
    lostAfterMs: 1_600,
    leaseMs: 1_280,
    agentRestartMs: 0,
    forgetAfterMs: 60_000,
  });
  const link = { hostId: "a", close: () => undefined };
  liveness.hello({ type: "hello", hostId: "a", carriers: ["process"], rooms: [] } as never, link as never);
  return { liveness, state: (): string | undefined => hosts.get("a")?.stage.state };
}

it("counts no host as lost while the other brokers cannot be asked, and only as long a silence after that (FAIL-2)", () => {
  let nowMs = 0;
  let reachable = true;
  const { liveness, state } = hostSeenBy(
    () => nowMs,
    () => reachable,
  );
  const sweepFor = (ms: number): void => {
    for (const endMs = nowMs + ms; nowMs < endMs; nowMs += 100) liveness.sweep();
  };
  sweepFor(1_000);
  reachable = false;
  sweepFor(5_000);
  reachable = true;
  sweepFor(1_500);
  expect(state()).toBe("active");
  sweepFor(500);
  expect(state()).toBe("lost");
});

it("looks at hosts more often once one is silent; that the broker itself stood still is no silence", () => {
  let nowMs = 0;
  const { liveness, state } = hostSeenBy(() => nowMs);
  /** Heartbeats come every 300 ms until then. @returns the pauses between two looks */
  const run = (untilMs: number, beatsUntilMs: number): number[] => {
    const pauses: number[] = [];
    for (let beatMs = nowMs + 300; nowMs < untilMs; ) {
      const pauseMs = liveness.sweep();
      pauses.push(pauseMs);
      nowMs += pauseMs;
      for (; beatMs <= Math.min(nowMs, beatsUntilMs); beatMs += 300)
        liveness.heartbeat("a", { type: "heartbeat", load: 0, rssBytes: 0 });
    }
    return pauses;
  };
  expect(new Set(run(6_000, 6_000))).toEqual(new Set([300]));
  // Nothing comes for as long as this broker itself stands still.
  nowMs += 5_000;
  liveness.sweep();
  expect(state()).toBe("active");
  liveness.heartbeat("a", { type: "heartbeat", load: 0, rssBytes: 0 });
  const silentFromMs = nowMs;
  const pauses = run(nowMs + 1_500, 0);
  expect(pauses.at(-1)).toBe(100);
  expect(pauses.filter((pauseMs) => pauseMs === 300).length).toBeLessThan(4);
  expect(state()).toBe("active");
  while (state() === "active" && nowMs < silentFromMs + 5_000) run(nowMs + 1, 0);
  expect(nowMs - silentFromMs).toBeLessThanOrEqual(1_800);
  expect(new Set(run(nowMs + 1_000, 0))).toEqual(new Set([300]));
});

describe("with other brokers (OWN-12)", () => {
  /** A broker to which host "a" fell silent at 0; the other ones answer as they are told to. */
  function silent(others: string[]) {
    let nowMs = 0;
    let left = others;
    let answer = (_brokerId: string): number | undefined | "nothing" => undefined;
    const hosts = new HostRegistry();
    const liveness = new HostLiveness({
      hosts,
      events: new Emitter(),
      cluster: {
        reachable: () => true,
        others: () => left.map((brokerId) => ({ brokerId, url: "" })),
        publish: (kind, body) => {
          expect([kind, body]).toEqual(["host-asked", { hostId: "a" }]);
          for (const brokerId of left) {
            const agoMs = answer(brokerId);
            if (agoMs !== "nothing") liveness.heardByBroker("a", agoMs, brokerId);
          }
        },
      },
      clock: { now: () => nowMs, after: () => () => undefined },
      logger,
      lostAfterMs: 1_600,
      leaseMs: 1_280,
      agentRestartMs: 0,
      forgetAfterMs: 60_000,
    });
    const link = { hostId: "a", close: () => undefined };
    liveness.hello({ type: "hello", hostId: "a", carriers: ["process"], rooms: [] } as never, link as never);
    return {
      /** @returns when the host counted as lost */
      lostAt(withinMs: number): number | undefined {
        for (const endMs = nowMs + withinMs; nowMs < endMs; nowMs += 100) {
          liveness.sweep();
          if (hosts.get("a")?.stage.state === "lost") return nowMs;
        }
        return undefined;
      },
      answers(how: typeof answer): void {
        answer = how;
      },
      leave(brokerId: string): void {
        left = left.filter((other) => other !== brokerId);
      },
    };
  }

  it("a host is lost once all of them say that they do not hear it either", () => {
    const broker = silent(["b", "c"]);
    broker.answers(() => undefined);
    expect(broker.lostAt(5_000)).toBe(1_700);
  });

  it("it is not while one cannot be asked, which may be answering it, until that one does not count any more", () => {
    const broker = silent(["b", "c"]);
    broker.answers((brokerId) => (brokerId === "c" ? "nothing" : undefined));
    expect(broker.lostAt(5_000)).toBeUndefined();
    broker.leave("c");
    expect(broker.lostAt(5_000)).toBe(5_000);
  });

  it("nor while one has said so once and cannot be asked since", () => {
    const broker = silent(["b"]);
    broker.answers(() => undefined);
    expect(broker.lostAt(1_200)).toBeUndefined();
    broker.answers(() => "nothing");
    expect(broker.lostAt(5_000)).toBeUndefined();
  });

  it("nor while one hears it", () => {
    const broker = silent(["b", "c"]);
    broker.answers((brokerId) => (brokerId === "c" ? 100 : undefined));
    expect(broker.lostAt(5_000)).toBeUndefined();
  });
});

it("reads the store once for all shards that it takes over while the store is slow, and again for later ones (BRK-4)", async () => {
  const answers: (() => void)[] = [];
  const store = {
    rooms: () => new Promise((resolve) => answers.push(() => resolve([]))),
    openMigrations: async () => [],
  };
  const rest = {
    rooms: new Map(),
    records: { takeOver: () => [] },
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
