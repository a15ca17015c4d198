/** Parts of a room host, in this process: a room saved at once, and seats that nobody takes. */
import { Room } from "@colyseus/core";
import { schema, t } from "@colyseus/schema";
import { afterEach, beforeAll, expect, it, vi } from "vitest";
import { type LabelText, SharedActivity } from "../../infra/room-host/dist/activity/activity.js";
import { Acknowledgements } from "../../infra/room-host/dist/checkpoint/acknowledgements.js";
import { Checkpointer, type SavedRoom } from "../../infra/room-host/dist/checkpoint/checkpointer.js";
import { createRoom, type MovableRoom } from "../../infra/room-host/dist/colyseus/movable-room.js";
import { PresenceBus } from "../../infra/room-host/dist/colyseus/room-presence.js";
import { forgetUntaken, RoomTypes, reserveSeat } from "../../infra/room-host/dist/colyseus/seats.js";

const Counter = schema({ count: t.number() }, "Counter");

class CounterRoom extends Room {
  override state = new Counter();
  override seatReservationTimeout = 0.2;
  override autoDispose = false;
  broken = false;

  onFreeze(): void {
    if (this.broken) throw new Error("not now");
  }
}

class LateRoom extends Room {
  override autoDispose = false;
  later(): void {}
}

class LoopRoom extends Room {
  override autoDispose = false;
  turns = 0;
  override onCreate(): void {
    const loop = async (): Promise<never> => {
      for (;;) {
        await this.clock.duration(5);
        this.turns++;
      }
    };
    void loop().catch(() => undefined);
  }
}

class StepRoom extends Room {
  override autoDispose = false;
  override onCreate(): void {
    this.setSimulationInterval(() => undefined, 5);
  }
}

/** What was said to rooms elsewhere. */
const published: { topic: string; data?: unknown; id?: string | undefined; from?: string | undefined }[] = [];
/** What rooms here are known to do. */
const named = new Map<number, LabelText>();
const activity = new SharedActivity((label, text) => {
  if (text === undefined) named.delete(label);
  else named.set(label, text);
});
let next = 0;
let room: MovableRoom & CounterRoom;
beforeAll(async () => {
  const types = { counter: CounterRoom, late: LateRoom, loop: LoopRoom, step: StepRoom };
  await RoomTypes.define(types, new PresenceBus((said) => published.push(said)), activity);
});
const make = async (): Promise<void> => {
  room = (await createRoom("counter", {}, `counter-${++next}`)) as never;
};
afterEach(() => room.disconnect());

function checkpointer(
  save: (saved: SavedRoom, withinMs: number) => void,
  paused = true,
  now = () => performance.now(),
  intervalMs = 60_000,
): Checkpointer {
  return new Checkpointer({
    room,
    save,
    options: {},
    intervalMs,
    sinceMs: 0,
    now,
    paused: () => paused,
    acknowledgements: new Acknowledgements(room),
    onUnprotected: () => undefined,
  });
}

it("a room that has just come is saved at once, and so is it when somebody comes, not a minute later", async () => {
  await make();
  const seqs: number[] = [];
  using saver = checkpointer(({ seq }) => seqs.push(seq), false);
  // Without players Colyseus sends no patch, and a room that sends none is not saved again.
  const change = (): void => void room.move.patches.sent(true);
  await expect.poll(() => seqs).toEqual([1]);
  change();
  saver.soon();
  // The one before is on its way still: what is not confirmed is not overtaken.
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seqs).toEqual([1]);
  saver.confirmed(1);
  await expect.poll(() => seqs).toEqual([1, 2]);
  saver.confirmed(2);
  change();
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(seqs).toEqual([1, 2]);
  saver.soon();
  await expect.poll(() => seqs).toEqual([1, 2, 3]);
});

it("a save that took long holds the room's next one up, but not for long when somebody comes", async () => {
  await make();
  const seqs: number[] = [];
  let slowMs = 0;
  using saver = checkpointer(
    ({ seq }) => {
      seqs.push(seq);
      slowMs += 200;
      queueMicrotask(() => saver.confirmed(seq));
    },
    false,
    () => performance.now() + slowMs,
  );
  await expect.poll(() => seqs).toEqual([1]);
  room.move.patches.sent(true);
  saver.soon();
  // A fiftieth of the time for saves would be ten seconds.
  await expect.poll(() => seqs).toEqual([1, 2]);
});

it("a room that changes is saved in its turn of each interval, and sent when other rooms' saves are", async () => {
  await make();
  const INTERVAL_MS = 400;
  const TOGETHER_MS = INTERVAL_MS / 4;
  const saves: { turnMs: number; atMs: number; sentMs: number }[] = [];
  const now = (): number => performance.now();
  using saver = checkpointer(
    ({ seq, takenAtMs }, withinMs) => {
      const turnMs = takenAtMs % INTERVAL_MS;
      saves.push({ turnMs, atMs: takenAtMs, sentMs: turnMs + withinMs });
      room.move.patches.sent(true);
      queueMicrotask(() => saver.confirmed(seq));
    },
    false,
    now,
    INTERVAL_MS,
  );
  // The first is sent at once, and the next brings it into step.
  await expect.poll(() => saves.length, { timeout: 30_000 }).toBeGreaterThan(6);
  const inTurn = saves.slice(2).filter(({ turnMs }) => turnMs < TOGETHER_MS);
  // A crowded machine may be late for some.
  expect(inTurn.length).toBeGreaterThan(0);
  for (const { sentMs } of inTurn) expect(Math.abs(sentMs - TOGETHER_MS)).toBeLessThan(5);
  // Once each: that a timer was early makes no second turn.
  const [first, last] = [saves[2]!, saves.at(-1)!];
  expect((last.atMs - first.atMs) / (saves.length - 3)).toBeGreaterThan(0.6 * INTERVAL_MS);
});

it("a room that cannot be saved now says so at once and leaves no timer behind", async () => {
  await make();
  using saver = checkpointer(() => undefined);
  room.broken = true;
  const timers = vi.spyOn(globalThis, "setTimeout");
  await expect(saver.saveNow()).rejects.toMatchObject({ code: "ROOM_ERROR" });
  expect(timers).not.toHaveBeenCalled();
  timers.mockRestore();
});

it("two who save at once both hear when the later save is confirmed", async () => {
  await make();
  const seqs: number[] = [];
  using saver = checkpointer(({ seq }) => seqs.push(seq));
  const both = Promise.all([saver.saveNow(), saver.saveNow()]);
  expect(seqs).toHaveLength(2);
  saver.confirmed(seqs[1]!);
  await both;
});

it("who did not take a seat is forgotten when Colyseus gives the seat up, and not before", async () => {
  await make();
  const seats = new Map([["never", {}]]);
  await reserveSeat(room, { sessionId: "never", playerId: "p", options: {} }, true);
  await reserveSeat(room, { sessionId: "other", playerId: "p", options: {} }, true);
  seats.set("other", {});
  seats.set("gone", {});
  forgetUntaken(seats, room);
  expect([...seats.keys()]).toEqual(["never", "other"]);
  await expect
    .poll(() => {
      forgetUntaken(seats, room);
      return seats.size;
    })
    .toBe(0);
});

it("a room hears what others publish, while it runs and for as long as it is there", async () => {
  await make();
  const { presence } = room;
  const heard: unknown[] = [];
  const hear = (data: unknown) => heard.push(data);
  await presence.subscribe("news", hear);
  const said = { at: [1], none: undefined };
  presence.publish("news", said);
  expect(heard).toEqual([{ at: [1] }]);
  const first = { topic: "news", data: { at: [1] }, id: expect.any(String), from: room.roomId };
  expect(published.splice(0)).toEqual([first]);
  // What another room says is counted, not what it says itself.
  expect([...room.move.heard.takeCounts()]).toEqual([]);
  room.move.clock.hold();
  presence.publish("news", "while it stands still");
  presence.publish("news", "and heard at another host");
  room.move.heard.import([published.splice(0).at(-1)!.id!]);
  room.move.clock.resume();
  expect(heard.splice(1)).toEqual(["while it stands still"]);
  presence.unsubscribe("news", () => undefined);
  presence.publish("news", 2);
  expect(await presence.channels()).toEqual(["news"]);
  presence.unsubscribe("news");
  presence.publish("news", 3);
  expect(heard).toEqual([{ at: [1] }, 2]);
  await presence.subscribe("news", hear);
  room.move.release();
  presence.publish("news", 4);
  expect(heard).toHaveLength(2);
  expect(() => presence.publish("news", "x".repeat(70_000))).toThrow(
    expect.objectContaining({ code: "FRAME_TOO_LARGE" }),
  );
});

it("a loop on clock.duration() keeps a room where it is, which is saved all the same, and begins again when it is restored", async () => {
  const create = async () => (await createRoom("loop", {}, `loop-${++next}`)) as MovableRoom & LoopRoom;
  const loop = await create();
  await expect.poll(() => loop.turns, { timeout: 60_000 }).toBeGreaterThan(2);
  expect(() => loop.move.snapshot.export()).toThrow(/waits for clock\.duration\(5\).*setInterval for a loop/);
  const record = loop.move.snapshot.export({ saves: true });
  const restored = await create();
  restored.move.clock.hold();
  await restored.move.snapshot.import(record);
  const { turns } = restored;
  expect(turns).toBeGreaterThan(2);
  restored.move.clock.resume();
  await expect.poll(() => restored.turns, { timeout: 60_000 }).toBeGreaterThan(turns + 2);
});

it("what a room does is known by name while it is there, and forgotten when it has ended", async () => {
  await make();
  const busy = (await createRoom("step", {}, `step-${++next}`)) as MovableRoom;
  const names = (): string[] =>
    [...named.values()].flatMap(({ roomId, what }) => (roomId === busy.roomId ? [what] : []));
  await expect.poll(names).toEqual(["the simulation"]);
  await busy.disconnect();
  await expect.poll(names).toEqual([]);
});

it("time does not go on in a room that has ended just before it was to", async () => {
  const create = async () => (await createRoom("step", {}, `step-${++next}`)) as MovableRoom;
  const steps = (of: MovableRoom): unknown =>
    (of as unknown as { _simulationInterval: unknown })._simulationInterval;
  const ended = await create();
  ended.move.clock.hold();
  ended.move.clock.resume(1);
  await ended.disconnect();
  // Begun after the one that would have started it, and as long.
  await new Promise((resolve) => setTimeout(resolve, 1));
  expect(steps(ended)).toBeUndefined();
  const left = await create();
  left.move.clock.hold();
  const disposed = new Promise<void>((resolve) => left.move.events.once("disconnect", resolve));
  left.move.release();
  await disposed;
  left.move.clock.resume(0);
  expect(steps(left)).toBeUndefined();
});

it("what will stand in the way of a move is said when the room does it, once, with what to do", async () => {
  room = (await createRoom("late", {}, `late-${++next}`)) as never;
  const said: string[] = [];
  const adoption = { epoch: 1, mayRun: () => true, playerOf: () => undefined, leftBehind: () => undefined };
  room.move.adopted({ ...adoption, notice: (line) => said.push(line) });
  for (let time = 0; time < 2; time++) {
    room.clock.setTimeout(() => undefined, 600_000);
    room.onMessage("late", () => undefined);
  }
  room.clock.setTimeout((room as unknown as LateRoom).later, 600_000);
  expect(said).toEqual([
    expect.stringMatching(/^room late-\d+: a clock timer of 600000 ms .* pass a method of the room/),
    expect.stringMatching(/^room late-\d+: the handler of message "late" was set up after onCreate\(\)/),
  ]);
});

it("a room whose last player leaves right after it has come here ends with that player, not a second later", async () => {
  await make();
  room.autoDispose = true;
  const record = room.move.snapshot.export();
  const session = {
    ...{ sessionId: "ann", playerId: undefined, network: undefined, centroid: false, reconnectionToken: "t" },
    ...{
      auth: record.extra,
      userData: record.extra,
      own: [],
      joinedAtMs: 0,
      view: undefined,
      received: 0,
      sent: 0,
      dropped: false,
    },
  };
  await room.disconnect();
  await make();
  room.autoDispose = false;
  room.move.clock.hold();
  const clients = await room.move.snapshot.import({ ...record, sessions: [session] } as never);
  room.move.clock.resume(room.patchRate ?? 0);
  const disposed = vi.fn();
  room.move.events.once("dispose", disposed);
  clients.get("ann")!.link.close(4000, "left");
  // All that it may wait for are handlers of the room, never a timer.
  for (let turn = 0; turn < 20 && disposed.mock.calls.length === 0; turn++)
    await new Promise((resolve) => setImmediate(resolve));
  expect(disposed).toHaveBeenCalledOnce();
});
