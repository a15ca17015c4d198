/**
 * The product under simulated faults: many seeds in which no promise may break, a run that repeats itself exactly, and
 * mistakes put into the product's code that must be found, one for each promise.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { type Action, BEGIN_MS, HOSTS, PLAYERS } from "./plan.js";
import { print } from "./print.js";
import { bundleProduct, type Mutation, type Product } from "./product.js";
import { type Programs, programs } from "./program.js";
import { kindOf, shrink } from "./shrink.js";
import { simulate } from "./simulate.js";

/** About a tenth of a second each on a free core; `npm run simulate-faults` runs as many as it has time for. */
const SEEDS = 22;
/** The same with brokers that are ended and started again. */
const SEEDS_WITH_ENDINGS = 10;
/** Each broke a promise once: two hosts at once, something confirmed and lost, a room or session that went back or ended. */
const ONCE_BROKEN = [
  1109, 1205, 5095, 5138, 5144, 5146, 5149, 5161, 5167, 5178, 5268, 5313, 5328, 5335, 5452, 5478, 9041, 9072,
  9085, 9187,
];
/** The same with a store that fails: what a player said after its return reached nobody. */
const ONCE_BROKEN_DISK = [8230, 8257];
/**
 * The same with two brokers: a host was answered whose room another one had got, or a room was over, or built once more, that
 * had been given on.
 */
const ONCE_BROKEN_TWO = [29, 1066, 2095, 3028, 3067, 5266, 9089];
const SEEDS_WITH_TWO_BROKERS = 6;
/** A mistake may need the right moment. */
const TRIES = 6;

let product: (mutation?: Mutation) => Product;
let whole: Programs;
beforeAll(async () => {
  product = await bundleProduct();
  whole = programs(product(), HOSTS.length, PLAYERS.length);
});

it(`keeps its promises under the faults of ${SEEDS} seeds, and of those that once broke them`, async () => {
  const runs = [
    ...ONCE_BROKEN_DISK.map((seed) => ({ seed, disk: true })),
    ...[...ONCE_BROKEN_TWO, ...Array.from({ length: SEEDS_WITH_TWO_BROKERS }, (_, at) => at + 1)].map(
      (seed) => ({ seed, brokers: 2 as const }),
    ),
    ...Array.from({ length: SEEDS_WITH_ENDINGS }, (_, at) => ({ seed: at + 1, endings: true })),
    ...[...ONCE_BROKEN, ...Array.from({ length: SEEDS }, (_, at) => at + 1)].map((seed) => ({
      seed,
    })),
  ];
  let promoted = 0;
  for (const { seed, ...conditions } of runs) {
    const run = await simulate(whole, seed, conditions);
    promoted += run.history.filter(
      (entry) => entry.type === "note" && /was promoted$/.test(entry.text),
    ).length;
    if (run.violations.length > 0) expect.fail(print(await shrink(whole, run)).join("\n"));
  }
  expect(promoted).toBeGreaterThan(10);
}, 600_000);

it("repeats a run exactly, whatever ran before and in whichever copy of the product", async () => {
  const other = programs(product(), HOSTS.length, PLAYERS.length);
  const first = await simulate(whole, 11);
  await simulate(other, 12);
  const again = await simulate(other, 11);
  expect(again.history).toEqual(first.history);
  expect(again.hash).toBe(first.hash);
  expect((await simulate(other, 12)).hash).not.toBe(first.hash);
});

const at = (afterMs: number): number => BEGIN_MS + afterMs;
const move = (afterMs: number, toHostId: string): Action => ({
  atMs: at(afterMs),
  type: "move",
  room: 0,
  toHostId,
});
/** Wherever the room is at first, some of these take it elsewhere. */
const around = HOSTS.map((hostId, index) => move(200 + index * 2_500, hostId));
/** What the old host says last comes after the new one's first words: its way to the players is cut just then. */
const oldHostIsLate = (cutMs: number): Action[] =>
  ["h1", "h2", "h0", "h1"].flatMap((toHostId, round) => {
    const beforeMs = round * 2_500 + 200;
    const from = HOSTS[round % HOSTS.length] as string;
    const atMs = at(beforeMs + cutMs);
    const cuts = PLAYERS.map((to): Action => ({ atMs, type: "cut", from, to, forMs: 700 }));
    return [move(beforeMs, toHostId), ...cuts];
  });
/** The same of the room that has a standby. */
const ofStandby = (actions: readonly Action[]): Action[] =>
  actions.map((action) => (action.type === "move" ? { ...action, room: 1 } : action));
const crashBroker = (afterMs: number): Action => ({ atMs: at(afterMs), type: "crash broker", forMs: 1_500 });
const eachHost = (action: (hostId: string) => Action): Action[] => HOSTS.map(action);
/** The host that new rooms come to, all of it. */
const standsStill: Action[] = [{ atMs: at(500), type: "stop", machine: "h0", what: "both", forMs: 3_500 }];
/** Of the host that new rooms come to. */
const crashRooms: Action[] = [{ atMs: at(2_000), type: "crash room host", hostId: "h0" }];

/** The broker is back before the host that runs the rooms can reach it, and waits for it as long as it left it. */
const broughtDown: Action[] = [
  { atMs: at(500), type: "end broker", forMs: 8_000 },
  ...eachHost((from) => ({ atMs: at(2_000), type: "cut", from, to: "broker", forMs: 13_000 })).slice(0, 2),
];

it("rooms go on while the broker that ended is away and its port is dark, and at no other host (OWN-10)", async () => {
  const run = await simulate(whole, 3, { actions: broughtDown });
  expect(run.violations).toEqual([]);
  const endedAtMs = run.history.find((entry) => entry.type === "fault")?.atMs ?? 0;
  const ticks = run.history.filter((entry) => entry.type === "tick");
  for (const roomId of new Set(ticks.map((tick) => tick.roomId))) {
    const times = ticks.filter((tick) => tick.roomId === roomId).map(({ atMs }) => atMs);
    const away = times.filter((atMs) => atMs > endedAtMs && atMs < endedAtMs + 12_000);
    expect(Math.max(...away.slice(1).map((atMs, index) => atMs - (away[index] ?? 0)))).toBeLessThan(500);
    expect(away.at(-1)).toBeGreaterThan(endedAtMs + 11_000);
  }
});

/** After the order to move: while the destination builds the room from its standby, if it has it, and later. */
const WITHIN_A_MOVE_MS = [20, 60, 320];

it("stays at one host and loses nothing when either end of a replicated room's move ends (OWN-3, OWN-4, STBY-4)", async () => {
  const outcomes: string[] = [];
  for (const [seed, laterMs] of WITHIN_A_MOVE_MS.entries()) {
    const actions = HOSTS.slice(0, 2).flatMap((hostId, round): Action[] => [
      ...ofStandby(HOSTS.map((to, index) => move(1_000 + round * 6_000 + index, to))),
      { atMs: at(1_000 + round * 6_000 + laterMs), type: "crash room host", hostId },
    ]);
    const run = await simulate(whole, seed + 1, { actions });
    expect(run.violations).toEqual([]);
    for (const entry of run.history) if (entry.type === "note") outcomes.push(entry.text);
  }
  expect(outcomes.some((text) => /: (failed|rolled-back)$/.test(text))).toBe(true);
});

interface Mistake {
  promise: string;
  mistake: string;
  mutation: Mutation;
  actions: Action[];
  endings?: boolean;
}

const mistakes: Mistake[] = [
  {
    promise: "two owners",
    mistake: "an epoch is given out twice",
    mutation: {
      from: /const toEpoch = await store\.nextEpoch\([\s\S]*?has just moved[\s\S]*?\);/,
      to: "const toEpoch = 2;",
    },
    actions: around,
  },
  {
    promise: "two at once",
    mistake: "a lease never runs out",
    mutation: { from: /this\.#expired = true;\s+this\.#events\.onExpired\(\);/, to: "" },
    actions: standsStill,
  },
  {
    promise: "two at once",
    mistake: "a host that stood still hears its players before it looks at its lease",
    mutation: { from: /this\.beforeFrame\(\);/, to: "" },
    actions: standsStill,
    endings: true,
  },
  {
    promise: "two at once",
    mistake: "a broker that starts again does not wait for hosts that may run on",
    mutation: { from: /mayRun\(hostId\) \{/, to: "mayRun(hostId) { return false;" },
    actions: broughtDown,
  },
  {
    promise: "undone",
    mistake: "a broker that starts again rescues rooms whose moves are open",
    mutation: { from: /undecided\(roomId\) \{/, to: "undecided(roomId) { return false;" },
    actions: [move(200, "h1"), crashBroker(420), move(5_200, "h2"), crashBroker(5_420)],
  },
  {
    promise: "acknowledged and lost",
    mistake: "players may forget what is not saved yet",
    mutation: {
      from: /link\.durable\(this\.#by === /,
      to: "link.durable(true ? link.received : this.#by === ",
    },
    actions: crashRooms,
  },
  {
    promise: "lost",
    mistake: "what a lost host had not saved is not sent again",
    mutation: {
      from: /frames: \[\.\.\.this\.#frames\.values\(\)\]\.slice\(received - this\.#first\)/,
      to: "frames: []",
    },
    actions: crashRooms,
  },
  {
    promise: "not once in order",
    mistake: "a player sends again what the new host has",
    mutation: {
      from: /frames: \[\.\.\.this\.#frames\.values\(\)\]\.slice\(received - this\.#first\)/,
      to: "frames: [...this.#frames.values()]",
    },
    actions: around,
  },
  {
    promise: "heard out of order",
    mistake: "what the new host says before the switch is thrown away",
    mutation: { from: /for \(const data of held\)\s+onHeld\(socket, data\);/, to: "" },
    actions: oldHostIsLate(300),
  },
  {
    promise: "heard out of order",
    mistake: "a player takes a standby that becomes the room for one that was lost",
    mutation: { from: /message\.restored === true \? onResumed : onMovedHere/, to: "onResumed" },
    // Before the old host has said that the room moves.
    actions: ofStandby(oldHostIsLate(100)),
  },
  {
    promise: "ended",
    mistake: "a session does not look for its room elsewhere",
    mutation: {
      from: /UNMEANT = \/\* @__PURE__ \*\/ new Set\(\[/,
      to: "UNMEANT = new Set([].concat([][0] ?? []) || [",
    },
    actions: crashRooms,
  },
  {
    promise: "uncaught",
    mistake: "nobody catches what a broken connection rejects",
    mutation: {
      from: /"connection to host broke"\);/,
      to: '"connection to host broke"); Promise.reject(new Error("planted"));',
    },
    actions: [{ atMs: at(500), type: "crash host", hostId: "h0", forMs: 1_000, silent: false }],
  },
  {
    promise: "open",
    mistake: "a move whose destination has died is never settled",
    mutation: {
      from: /return destinationAnswered \? "roll-back" : "roll-back-fenced";/,
      to: 'return "wait";',
    },
    // At several moments of a move: how long its phases take differs between seeds.
    actions: [150, 300, 450].flatMap((laterMs, round) => [
      move(200 + round * 3_000, "h1"),
      { atMs: at(200 + round * 3_000 + laterMs), type: "crash room host", hostId: "h1" },
    ]),
  },
];

describe("a planted mistake is found", () => {
  it.each(mistakes)("$promise: $mistake", async ({ promise, mutation, actions, endings = false }) => {
    const wrong = programs(product(mutation), HOSTS.length, PLAYERS.length, whole);
    const found = new Set<string>();
    for (let seed = 1; seed <= TRIES && !found.has(promise); seed++)
      for (const violation of (await simulate(wrong, seed, { actions, endings })).violations)
        found.add(kindOf(violation));
    expect([...found]).toContain(promise);
    // It is the mistake that is found, not the faults.
    expect((await simulate(whole, 1, { actions, endings })).violations).toEqual([]);
  });
});
