/** What a room's code has opened: timers that end when it has left, and what is still open then. */
import { createServer, type Server, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { readActivity, SharedActivity, UNNAMED } from "../../infra/room-host/dist/activity/activity.js";
import { followOpenHandles } from "../../infra/room-host/dist/activity/open-handles.js";
import { type LeftBehind, RoomResources } from "../../infra/room-host/dist/activity/room-resources.js";
import { roomTimers } from "../../infra/room-host/dist/activity/room-timers.js";

const LONG_MS = 600_000;
const activity = new SharedActivity(() => undefined);
const timers = roomTimers(() => activity.owner) as unknown as typeof import("node:timers");
followOpenHandles(() => activity.owner);

let room: RoomResources;
const inRoom = <T>(code: () => T): T => activity.run(UNNAMED, "", code, room);
beforeEach(() => {
  room = new RoomResources();
});
afterEach(() => vi.useRealTimers());

it("timers fire as Node's do while the room is here", async () => {
  const fired: unknown[] = [];
  await inRoom(async () => {
    await new Promise<void>((resolve) => timers.setTimeout((word) => resolve(void fired.push(word)), 1, "a"));
    await promisify(timers.setTimeout)(1);
    fired.push(await timers.promises.setTimeout(1, "b"));
    fired.push(await timers.promises.setImmediate("c"));
    for await (const word of timers.promises.setInterval(1, "d")) {
      fired.push(word);
      break;
    }
  });
  expect(fired).toEqual(["a", "b", "c", "d"]);
  expect(() => timers.setTimeout("code" as never, 1)).toThrow(/callback/);
});

it("none of them fires once the room has left; others' do", async () => {
  const fired: string[] = [];
  inRoom(() => {
    timers.setInterval(() => fired.push("interval"), 1);
    timers.setTimeout(() => fired.push("timeout"), 1);
    timers.setImmediate(() => fired.push("immediate"));
    void timers.promises.setTimeout(1).then(() => fired.push("promise"));
    void (async () => {
      for await (const _ of timers.promises.setInterval(1)) fired.push("each");
    })();
  });
  room.leave(() => undefined);
  const others = new Promise((resolve) => timers.setTimeout(resolve, 5));
  // What is closed in an orderly way may take its time.
  const orderly = inRoom(() => timers.promises.setTimeout(5, "closed"));
  await others;
  expect(await orderly).toBe("closed");
  await sleep(5);
  expect(fired).toEqual([]);
});

it("what a room did not end is counted a while later, and what it begins then does nothing", async () => {
  const left: LeftBehind[] = [];
  const fired = vi.fn();
  room.opened(room, () => "a connection to 10.0.0.7:5432");
  const gone = {};
  room.opened(gone, () => "closed in time");
  inRoom(() => timers.setTimeout(fired, LONG_MS));
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  room.leave((what) => left.push(what));
  room.closed(gone);
  expect(left).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(left).toEqual([{ timers: 1, open: ["a connection to 10.0.0.7:5432"] }]);
  inRoom(() => timers.setTimeout(fired, 1));
  await sleep(10);
  expect(fired).not.toHaveBeenCalled();
});

it("a room that sets and clears a timer again and again keeps none of them", () => {
  inRoom(() => {
    for (let n = 0; n < 2_000; n++) clearTimeout(timers.setTimeout(() => undefined, LONG_MS));
    timers.setTimeout(() => undefined, LONG_MS);
  });
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  const left: LeftBehind[] = [];
  room.leave((what) => left.push(what));
  vi.advanceTimersByTime(10_000);
  expect(left).toEqual([{ timers: 1, open: [] }]);
});

it("connections, servers and processes are those of the room whose code opened them, until they are closed", async () => {
  const { connect } = await import("node:net");
  const opened = vi.spyOn(room, "opened");
  const closed = vi.spyOn(room, "closed");
  const { server, socket } = await inRoom(async () => {
    const listening: Server = createServer();
    await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
    const { port } = listening.address() as { port: number };
    const connected: Socket = connect(port, "127.0.0.1");
    await new Promise((resolve) => connected.once("connect", resolve));
    return { server: listening, socket: connected };
  });
  expect(opened.mock.calls.map(([, describe]) => describe())).toEqual([
    "a server",
    expect.stringMatching(/^a connection to 127\.0\.0\.1:\d+$/),
  ]);
  socket.destroy();
  server.close();
  await expect.poll(() => closed.mock.calls.length).toBe(2);
  const outside = connect(1, "127.0.0.1").on("error", () => undefined);
  outside.destroy();
  expect(opened).toHaveBeenCalledTimes(2);
});

it("says whose message is being handled, whatever the session's id, and that of the outer one again afterwards", () => {
  const labels = new Map<number, { roomId: string; what: string }>();
  const watched = new SharedActivity((label, text) => {
    if (text === undefined) labels.delete(label);
    else labels.set(label, text);
  });
  const now = (): string | undefined => readActivity(watched.shared, labels)?.sessionId;
  const label = watched.label("r1", "a message");
  const seen = (id: string): string | undefined => watched.run(label, id, now, room);
  expect(["aZ9-_", "", "größe", "\u{1f600}"].map(seen)).toEqual(["aZ9-_", "", "größe", "\u{1f600}"]);
  expect(seen("x".repeat(500))).toBe("x".repeat(128));
  expect(seen(`${"x".repeat(127)}ß`)).toBe("x".repeat(127));
  expect(
    watched.run(label, "s1", () => watched.run(label, "s2", () => watched.cause?.sessionId, room), room),
  ).toBe("s2");
  expect(readActivity(watched.shared, labels)).toBeUndefined();
  watched.forget([label, UNNAMED]);
  expect(labels.size).toBe(0);
});

it("tells rooms apart however many there have been", () => {
  const labels = new Map<number, { roomId: string; what: string }>();
  const watched = new SharedActivity((label, text) => {
    if (text === undefined) labels.delete(label);
    else labels.set(label, text);
  });
  const here = watched.label("here", "a message");
  for (let n = 0; n < 200_000; n++) watched.forget([watched.label(`room ${n}`, "a message")]);
  const last = watched.label("last", "a message");
  const now = (): string | undefined => readActivity(watched.shared, labels)?.roomId;
  expect([here, last].map((label) => watched.run(label, "", now, room))).toEqual(["here", "last"]);
  expect(labels.size).toBe(2);
});
