/** The reducer and the history behind the page, without a browser. */
import type { BrokerEvent } from "@centroid/protocol";
import fc from "fast-check";
import { expect, test } from "vitest";
import { History } from "../../client/dashboard/src/live/history.js";
import { applyEvents, type DashboardState, EMPTY_WORLD } from "../../client/dashboard/src/live/world.js";
import { FakeWorld, snapshotOf } from "./fake-world.js";

const START_MS = 1_000_000;

/** A stream of many small changes after one snapshot; `gaps` are the times between them. */
function streamOf(gaps: readonly number[]): BrokerEvent[] {
  const fake = new FakeWorld().addHosts(3).addRoom("r", "frankfurt", 40, ["frankfurt"]);
  const players = [...fake.players.values()];
  let atMs = START_MS;
  const rest = gaps.map((gap, index): BrokerEvent => {
    atMs += gap;
    const player = players[index % players.length]!;
    const base = { seq: index + 1, atMs };
    if (index % 7 === 6) return { ...base, type: "player-removed", playerId: player.playerId, roomId: "r" };
    return { ...base, type: "player", player: { ...player, network: `place-${index}` } };
  });
  return [{ ...snapshotOf(fake), seq: 0, atMs: START_MS } as BrokerEvent, ...rest];
}

const players = (world: DashboardState) =>
  [...world.players.values()].map((player) => [player.playerId, player.network]).sort();

test("the world at any instant is what its events up to then lead to, across keyframes", () => {
  const gaps = fc.array(fc.integer({ min: 0, max: 4_000 }), { minLength: 1, maxLength: 120 });
  fc.assert(
    fc.property(
      gaps,
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 0, max: 1_000 }),
      (g, size, where) => {
        const events = streamOf(g);
        const history = new History();
        let world = EMPTY_WORLD;
        for (let at = 0; at < events.length; at += size) {
          const batch = events.slice(at, at + size);
          world = applyEvents(world, batch);
          history.append(batch, world);
        }
        const { fromMs, toMs } = history.span()!;
        const askedMs = Math.round(fromMs + (where / 1_000) * (toMs - fromMs));
        const expected = applyEvents(
          EMPTY_WORLD,
          events.filter((event) => event.atMs <= askedMs),
        );
        expect(players(history.at(askedMs))).toEqual(players(expected));
        expect(players(applyEvents(EMPTY_WORLD, history.recording()))).toEqual(players(world));
      },
    ),
  );
});

test("what is older than the span or beyond the limit is forgotten, the rest can still be shown", () => {
  const events = streamOf(Array.from({ length: 400 }, () => 1_000));
  const history = new History({ spanMs: 60_000, events: 1_000 });
  let world = EMPTY_WORLD;
  for (const event of events) {
    world = applyEvents(world, [event]);
    history.append([event], world);
  }
  const { fromMs, toMs } = history.span()!;
  expect(toMs - fromMs).toBeLessThanOrEqual(60_000 + 15_000);
  expect(toMs - fromMs).toBeGreaterThanOrEqual(60_000);
  expect(players(applyEvents(EMPTY_WORLD, history.recording()))).toEqual(players(world));
  const middleMs = toMs - 30_000;
  const expected = applyEvents(
    EMPTY_WORLD,
    events.filter((event) => event.atMs <= middleMs),
  );
  expect(players(history.at(middleMs))).toEqual(players(expected));
});

test("collections that no event touched are shared, so that views can skip them", () => {
  const [snapshot, change] = streamOf([10]);
  const before = applyEvents(EMPTY_WORLD, [snapshot!]);
  const after = applyEvents(before, [change!]);
  expect(after.hosts).toBe(before.hosts);
  expect(after.players).not.toBe(before.players);
  expect(before.players.get("r/r-p0")?.network).toBe("frankfurt");
});

test("a room that goes takes its players with it", () => {
  const [snapshot] = streamOf([]);
  const world = applyEvents(EMPTY_WORLD, [
    snapshot!,
    { type: "room-removed", roomId: "r", seq: 1, atMs: START_MS },
  ]);
  expect(world.players.size).toBe(0);
});
