/** Time in a room on fixed steps when it goes on elsewhere, by a clock that stands still unless it is told to go on. */
import { Room } from "@colyseus/core";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { InputBacklog } from "../../infra/room-host/dist/colyseus/input-backlog.js";
import { RoomClock } from "../../infra/room-host/dist/colyseus/room-clock.js";

const STEP_MS = 50;
const FULL = 32;

let room: Room;
let clock: RoomClock;
let backlog: InputBacklog;
/** Numbers of the steps so far. */
let ticks: number[];
/** Inputs that wait in the buffer of the one player, who is taken one from at each step. */
let buffered: string[];
let taken: string[];
const client = {} as never;
const deliver = (frame: Buffer): void => void buffered.push(frame.toString());
const say = (what: string): void => backlog.take(client, Buffer.from(what), deliver);

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setInterval", "clearInterval", "setTimeout", "Date", "performance"] });
  room = new Room();
  room.clock.start();
  clock = new RoomClock(room);
  [ticks, buffered, taken] = [[], [], []];
  backlog = new InputBacklog({
    clock,
    inputs: { pending: () => ({ count: buffered.length, full: buffered.length >= FULL }) } as never,
    clients: () => [client],
    now: () => performance.now(),
  });
  clock.simulate({
    stepMs: STEP_MS,
    arm: () =>
      room.setFixedTimestep(() => {
        clock.steps.taken(STEP_MS);
        if (clock.standsStill()) return;
        ticks.push(clock.steps.next());
        const input = buffered.shift();
        if (input !== undefined) taken.push(input);
        backlog.stepped();
      }, 1000 / STEP_MS),
  });
});
afterEach(() => {
  clearInterval((room as unknown as { _simulationInterval: NodeJS.Timeout })._simulationInterval);
  vi.useRealTimers();
});

describe("a room on fixed steps", () => {
  it("goes on with the next number and with what had passed of the step", () => {
    vi.advanceTimersByTime(10 * STEP_MS);
    expect(ticks.at(-1)).toBe(9);
    room.clock.currentTime -= 30;
    room.clock.tick();
    expect(clock.export()).toMatchObject({ fixedTick: 10, stepPassedMs: 30 });
    const record = { elapsedMs: 7_000, fixedTick: 10, stepPassedMs: 30 };
    clock.hold();
    vi.advanceTimersByTime(40 * STEP_MS);
    clock.set(record);
    clock.resume(STEP_MS);
    expect(ticks.at(-1)).toBe(9);
    expect(clock.export()).toEqual(record);
    vi.advanceTimersByTime(STEP_MS);
    expect(clock.export()).toEqual({ elapsedMs: 7_050, fixedTick: 11, stepPassedMs: 30 });
    vi.advanceTimersByTime(9 * STEP_MS);
    // Ten steps of time, and the thirty milliseconds have not become another.
    expect(clock.export()).toEqual({ elapsedMs: 7_500, fixedTick: 20, stepPassedMs: 30 });
  });

  it("takes what came while it stood still in steps that it owes, and no more than those", () => {
    clock.hold();
    vi.advanceTimersByTime(20 * STEP_MS);
    for (let i = 0; i < 20; i++) say(`${i}`);
    backlog.begin(20 * STEP_MS);
    clock.resume(STEP_MS);
    vi.advanceTimersByTime(7 * STEP_MS);
    expect(taken).toEqual(Array.from({ length: 20 }, (_, i) => `${i}`));
    const steps = ticks.length;
    vi.advanceTimersByTime(20 * STEP_MS);
    expect(ticks.length - steps).toBe(20);
    expect(ticks).toEqual(ticks.map((_, i) => i));
    // Somebody who says more than one at a step is not owed any.
    const before = ticks.length;
    for (let step = 0; step < 20; step++) {
      for (let i = 0; i < 3; i++) say("more");
      vi.advanceTimersByTime(STEP_MS);
    }
    expect(ticks.length - before).toBeLessThan(30);
  });

  it("loses none of more than a buffer holds, in order, other messages among them", () => {
    clock.hold();
    backlog.begin();
    clock.resume(STEP_MS);
    const said = Array.from({ length: 3 * FULL }, (_, i) => `${i}`);
    for (const what of said) say(what);
    expect(buffered).toHaveLength(FULL);
    expect(backlog.waiting(client)).toHaveLength(2 * FULL);
    vi.advanceTimersByTime(FULL * STEP_MS);
    expect(taken).toEqual(said);
    expect(ticks.length).toBeGreaterThanOrEqual(3 * FULL);
  });

  it("holds nothing back for ever from a room that takes nothing", () => {
    vi.advanceTimersByTime(STEP_MS);
    clock.hold();
    backlog.begin();
    clock.resume(STEP_MS);
    clock.simulate({ stepMs: STEP_MS, arm: () => room.setFixedTimestep(() => backlog.stepped(), 20) });
    for (let i = 0; i < 2 * FULL; i++) say(`${i}`);
    expect(backlog.waiting(client)).toHaveLength(FULL);
    vi.advanceTimersByTime(11_000);
    expect(backlog.waiting(client)).toHaveLength(0);
    expect(buffered).toHaveLength(2 * FULL);
  });
});
