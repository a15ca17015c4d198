/** Rooms that compute on hosts that differ in speed: the time their work takes is part of where they run. */
import { readFileSync } from "node:fs";
import {
  busyMsPerSecond,
  explainVerdict,
  type HostSpeed,
  HostTable,
  type HostView,
  LatencyMap,
  type MoveCosts,
  placeRoom,
  type Random,
  type RoomDemand,
  RoomPolicy,
  type RoomView,
  readRttMatrix,
  SimulationError,
  seededRandom,
  simulate,
  slowdown,
  workOf,
} from "@centroid/placement";
import { describe, expect, it } from "vitest";
import { hostView } from "./host-view.js";

const speed = (oneCore: number, cores = 1): HostSpeed => ({ oneCore, allCores: oneCore * cores, cores });

/** `rtts[player][host]`, each measured well. */
function measured(rtts: readonly (readonly number[])[], names: readonly string[]): LatencyMap {
  const map = new LatencyMap();
  for (const hostId of names) map.upsertHost({ hostId, latitude: 0, longitude: 0 });
  rtts.forEach((row, p) => {
    map.upsertPlayer({ playerId: `p${p}` });
    row.forEach((rttMs, h) => {
      for (let i = 0; i < 8; i++) map.addProbe({ playerId: `p${p}`, hostId: names[h] ?? "", atMs: i, rttMs });
    });
  });
  return map;
}

/** Requests that share cores equally, as they come and go: the mean time in the system, in times of the work alone. */
function simulatedSlowdown(cores: number, inUse: number, work: (random: Random) => number): number {
  const random = seededRandom(5);
  const gap = (): number => -Math.log(1 - random.next()) / (inUse * cores);
  let at = 0;
  let nextAt = gap();
  let jobs: { left: number; work: number; since: number }[] = [];
  let sum = 0;
  let done = 0;
  while (done < 30_000) {
    const rate = Math.min(1, cores / Math.max(1, jobs.length));
    const least = jobs.reduce((min, { left }) => Math.min(min, left), Number.POSITIVE_INFINITY);
    const untilAt = Math.min(nextAt, at + least / rate);
    for (const job of jobs) job.left -= (untilAt - at) * rate;
    at = untilAt;
    jobs = jobs.filter((job) => {
      if (job.left > 1e-9) return true;
      sum += (at - job.since) / job.work;
      done++;
      return false;
    });
    if (at < nextAt) continue;
    const amount = work(random);
    jobs.push({ left: amount, work: amount, since: at });
    nextAt = at + gap();
  }
  return sum / done;
}

describe("queueing", () => {
  it("is M/M/1 on one core: 1 / (1 - share in use)", () => {
    for (const inUse of [0, 0.3, 0.7, 0.9]) expect(slowdown(speed(3), inUse)).toBeCloseTo(1 / (1 - inUse), 9);
  });

  it.each([
    ["equal", () => 1],
    ["exponential", (random: Random) => -Math.log(1 - random.next())],
    ["two kinds of", (random: Random) => (random.next() < 0.9 ? 0.4 : 6.4)],
  ])("agrees with shared cores, simulated with %s work", (_, work) => {
    for (const [cores, inUse] of [
      [1, 0.6],
      [2, 0.7],
      [4, 0.8],
      [8, 0.5],
    ] as const)
      expect(slowdown(speed(1, cores), inUse) / simulatedSlowdown(cores, inUse, work)).toBeCloseTo(1, 1);
  });

  it("grows without a jump or an end beyond a full host", () => {
    let before = 1;
    let leastStep = 0;
    let mostStep = 0;
    for (let inUse = 0; inUse < 3; inUse += 0.001) {
      const now = slowdown(speed(1, 4), inUse);
      leastStep = Math.min(leastStep, now - before);
      mostStep = Math.max(mostStep, now - before);
      before = now;
    }
    expect(leastStep).toBe(0);
    expect(mostStep).toBeLessThan(0.2);
  });
});

describe("a room that computes", () => {
  const map = measured([[5, 20]], ["slow", "fast"]);
  const place = (work: RoomDemand | undefined, slow: Partial<HostView>, fast: Partial<HostView>) =>
    placeRoom(
      { roomId: "r", playerIds: ["p0"], carrier: "process", ...(work !== undefined && { work }) },
      [hostView("slow", slow), hostView("fast", fast)],
      map,
      0,
    );

  it("runs on the fast host 20 ms away where that is sooner, else on the slow one at 5 ms", () => {
    const slow = { speed: speed(0.5, 4) };
    const fast = { speed: speed(2, 4) };
    // 5 + 20 against 20 + 5: 1.5 ms more of work at speed 1 decide.
    expect(place({ msPerRequest: 9, perSecond: 1 }, slow, fast).toHostId).toBe("slow");
    expect(place({ msPerRequest: 11, perSecond: 1 }, slow, fast).toHostId).toBe("fast");
    expect(place(undefined, slow, fast).toHostId).toBe("slow");
    const { text, candidates } = place({ msPerRequest: 40, perSecond: 1 }, slow, fast);
    expect(text).toBe("placed at fast: J 40 ms (20 ms of it work) for 1 player, the best host");
    expect(candidates.map(({ workMs }) => Math.round(workMs ?? 0))).toEqual([20, 80]);
  });

  it("leaves the fast host alone where it would queue", () => {
    const slow = { speed: speed(1, 2) };
    const work = { msPerRequest: 40, perSecond: 5 };
    expect(place(work, slow, { speed: speed(4, 1), load: 0 }).toHostId).toBe("fast");
    expect(place(work, slow, { speed: speed(4, 1), load: 0.85 }).toHostId).toBe("slow");
    // Eight cores half in use do not queue, one does.
    expect(place(work, slow, { speed: speed(2, 8), load: 0.5 }).toHostId).toBe("fast");
    expect(place({ msPerRequest: 40, perSecond: 20 }, slow, { speed: speed(2, 1), load: 0.5 }).toHostId).toBe(
      "slow",
    );
  });

  it("counts what it costs those who are there already", () => {
    const work = { msPerRequest: 100, perSecond: 3 };
    const crowd = workOf([{ work: { msPerRequest: 100, perSecond: 5 }, players: 30 }]);
    const busy = { speed: speed(2), load: 0.25, ...(crowd !== undefined && { work: crowd }) };
    const alone = { speed: speed(2), load: 0.25 };
    expect(place(work, { speed: speed(1) }, alone).toHostId).toBe("fast");
    const { toHostId, candidates } = place(work, { speed: speed(1) }, busy);
    expect(toHostId).toBe("slow");
    expect(candidates.find(({ hostId }) => hostId === "fast")?.crowdingMs).toBeGreaterThan(100);
  });

  it("is not driven from its host by its own load", () => {
    const work = { msPerRequest: 100, perSecond: 5 };
    const own = workOf([{ work, players: 1 }]);
    const views = [
      hostView("slow", { speed: speed(1), load: 0.5, rooms: 1, ...(own !== undefined && { work: own }) }),
      hostView("fast", { speed: speed(1) }),
    ];
    const policy = new RoomPolicy();
    for (let s = 0; s < 60; s++) {
      const verdict = policy.evaluate(
        { roomId: "r", hostId: "slow", playerIds: ["p0"], carrier: "process", work },
        new HostTable(map, views),
        s * 1_000,
      );
      expect(verdict.reason).toBe("best");
      expect(explainVerdict(verdict, verdict.contenders, 1)).toBe(
        "slow is best: J 205 ms (200 ms of it work) for 1 player",
      );
    }
  });

  it("makes no difference to rooms that compute nothing", () => {
    const plain = place(undefined, {}, {});
    expect(
      place(undefined, { speed: speed(9, 64) }, { work: { busyMsPerSecond: 900, playerMs: 9 } }),
    ).toEqual(plain);
    expect(plain.candidates[0]).not.toHaveProperty("workMs");
  });
});

describe("rooms that share hosts of unequal speed", () => {
  interface Instance {
    hosts: { speed: HostSpeed; background: number }[];
    rooms: { work: RoomDemand; rtts: number[][] }[];
  }

  function drawn(random: Random): Instance {
    const between = (low: number, high: number): number => low + random.next() * (high - low);
    const hosts = Array.from({ length: 3 + random.below(2) }, () => ({
      speed: speed(0.5 * 8 ** random.next(), 1 + random.below(4)),
      background: between(0, 0.6),
    }));
    const rooms = Array.from({ length: 3 + random.below(4) }, () => ({
      work: { msPerRequest: 5 * 30 ** random.next(), perSecond: between(1, 8) },
      rtts: Array.from({ length: 1 + random.below(4) }, () => hosts.map(() => between(2, 80))),
    }));
    return { hosts, rooms };
  }

  const networkMs = (rtts: readonly number[][], h: number): number => {
    const of = rtts.map((row) => row[h] ?? 0);
    return 0.5 * (of.reduce((sum, ms) => sum + ms, 0) / of.length) + 0.5 * Math.max(...of);
  };

  /** What all players of all rooms wait for. */
  function cost({ hosts, rooms }: Instance, at: readonly number[]): number {
    const factor = hosts.map((each, h) => {
      const busy = rooms.reduce((sum, { work }, r) => sum + (at[r] === h ? busyMsPerSecond(work) : 0), 0);
      return slowdown(each.speed, each.background + busy / 1_000 / each.speed.allCores);
    });
    return rooms.reduce((sum, { work, rtts }, r) => {
      const h = at[r] ?? 0;
      const workMs = (work.msPerRequest / (hosts[h]?.speed.oneCore ?? 1)) * (factor[h] ?? 1);
      return sum + rtts.length * (networkMs(rtts, h) + workMs);
    }, 0);
  }

  function optimum(instance: Instance): number {
    const { hosts, rooms } = instance;
    let least = Number.POSITIVE_INFINITY;
    for (let code = 0; code < hosts.length ** rooms.length; code++) {
      const at = rooms.map((_, r) => Math.floor(code / hosts.length ** r) % hosts.length);
      least = Math.min(least, cost(instance, at));
    }
    return least;
  }

  /** Rooms open one after the other, then each is looked at every second. */
  function played(instance: Instance, knowsWork: boolean): number[] {
    const names = instance.hosts.map((_, h) => `h${h}`);
    const rtts = instance.rooms.flatMap((room) => room.rtts);
    const map = measured(rtts, names);
    let players = 0;
    const at: number[] = [];
    const rooms = instance.rooms.map(
      ({ work, rtts: own }, r): RoomView => ({
        roomId: `r${r}`,
        hostId: undefined,
        playerIds: own.map(() => `p${players++}`),
        carrier: "process",
        ...(knowsWork && { work }),
      }),
    );
    const on = (h: number) => instance.rooms.filter((_, r) => at[r] === h);
    const views = instance.hosts.map((each, h): HostView => {
      const view = hostView(`h${h}`, { speed: each.speed });
      // As heartbeats and reports say it.
      Object.defineProperties(view, {
        load: {
          enumerable: true,
          get: () =>
            Math.min(
              1,
              each.background +
                on(h).reduce((sum, { work }) => sum + busyMsPerSecond(work), 0) / 1_000 / each.speed.allCores,
            ),
        },
        work: {
          enumerable: true,
          get: () => workOf(on(h).map(({ work, rtts: own }) => ({ work, players: own.length }))),
        },
      });
      return view;
    });
    const table = new HostTable(map, views);
    const price = { cost: 1_000, calmCost: 1_000, freezeMs: 0 };
    const costs: MoveCosts = { price: () => price, learn: () => undefined };
    const policies = rooms.map(() => new RoomPolicy({}, costs));
    for (let s = 0; s < 25; s++) {
      rooms.forEach((room, r) => {
        if (s === 0 && at.length < r) return;
        const verdict = policies[r]?.evaluate(room, table, s * 1_000);
        if (verdict?.verdict !== "place" && verdict?.verdict !== "move") return;
        room.hostId = verdict.toHostId;
        at[r] = Number(verdict.toHostId?.slice(1));
      });
    }
    return at;
  }

  it("end within 3 % of the best assignment of all, on 200 drawn instances", () => {
    const random = seededRandom(2_024);
    const own: number[] = [];
    const byLatency: number[] = [];
    for (let i = 0; i < 200; i++) {
      const instance = drawn(random);
      const best = optimum(instance);
      own.push(cost(instance, played(instance, true)) / best);
      byLatency.push(cost(instance, played(instance, false)) / best);
    }
    const mean = (ratios: readonly number[]): number => ratios.reduce((sum, r) => sum + r, 0) / ratios.length;
    const p95 = (ratios: readonly number[]): number => [...ratios].sort((a, b) => a - b)[190] ?? 0;
    expect(p95(own)).toBeLessThan(1.03);
    expect(mean(own)).toBeLessThan(1.03);
    expect(mean(byLatency)).toBeGreaterThan(1.3);
  });
});

describe("simulate", () => {
  const slices = [
    readRttMatrix(readFileSync(new URL("../../data/planetlab-rtt-1.csv", import.meta.url), "utf8")),
  ];
  const options = { hosts: 12, rooms: 5, steps: 40, seed: 3 };

  it("plays rooms with work on hosts of unequal speed, beside fastest, lowest load and latency alone", () => {
    const { policies } = simulate(slices, {
      ...options,
      work: { msPerRequest: 100, perSecond: 5 },
      policies: ["nearest-server", "fastest", "lowest-load", "latency-only", "centroid", "oracle"],
    });
    const of = (name: string) => policies.find(({ policy }) => policy === name)?.dynamicMean ?? 0;
    expect(of("oracle")).toBe(1);
    expect(of("centroid")).toBeLessThan(1.08);
    for (const other of ["nearest-server", "fastest", "lowest-load", "latency-only"])
      expect(of(other)).toBeGreaterThan(of("centroid") + 0.1);
  });

  it("refuses what makes no machines", () => {
    expect(() => simulate(slices, { ...options, policies: ["fastest"] })).toThrow(SimulationError);
    const work = { msPerRequest: 1, perSecond: 1 };
    expect(() => simulate(slices, { ...options, work, speeds: [0, 4] })).toThrow(/speeds/);
    expect(() => simulate(slices, { ...options, work, cores: [4, 2] })).toThrow(/cores/);
  });
});
