/** A player who sends more than it may is put out; the others play on, and who only catches up is left alone. */
import { CLOSE_TOO_FAST, type TokenBucket } from "@centroid/protocol";
import type { MigrateEvent } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { LimitedSocket, playerBucket } from "../../infra/room-host/dist/sessions/player-limits.js";
import { SessionLink } from "../../infra/room-host/dist/sessions/session-link.js";
import { EarlyFrames } from "../../infra/room-host/dist/sockets/early-frames.js";
import type { ServerSocket } from "../../infra/room-host/dist/sockets/server-socket.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

/** Small, so that a test need not send much: 200 at once. */
const PER_SECOND = 20;
const BURST = PER_SECOND * 10;

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start(undefined, PER_SECOND);
});
afterAll(() => pair[Symbol.asyncDispose]());

const join = async (roomId: string): Promise<LedgerRoom> => {
  const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
  room.onMessage("shot", () => undefined);
  return room;
};
const heard = (room: LedgerRoom): number | undefined => room.state.entries.get(room.sessionId)?.count;
const say = (room: LedgerRoom, count: number, from = 1): void => {
  for (let i = 0; i < count; i++) room.send("say", from + i);
};

describe("a real room", () => {
  it("closes the flooder with code and reason; the others notice nothing", async () => {
    const roomId = await pair.create("ledger");
    const [quiet, flooder] = [await join(roomId), await join(roomId)];
    const ended: number[] = [];
    quiet.onDrop((code) => ended.push(code));
    quiet.onLeave((code) => ended.push(code));
    const put = new Promise((resolve) => flooder.onLeave((code, reason) => resolve({ code, reason })));
    say(quiet, BURST / 2);
    say(flooder, BURST * 5);
    expect(await put).toEqual({
      code: CLOSE_TOO_FAST,
      reason: expect.stringContaining("20 frames a second"),
    });
    await expect.poll(() => heard(quiet)).toBe(BURST / 2);
    say(quiet, 10, BURST / 2 + 1);
    await expect.poll(() => heard(quiet)).toBe(BURST / 2 + 10);
    expect(quiet.state.entries.get(quiet.sessionId)?.disorder).toBe(0);
    expect(quiet.state.entries.get(flooder.sessionId)?.count).toBeLessThan(BURST * 2);
    expect(ended).toEqual([]);
    await quiet.leave();
  });

  it("lets a player say again what a move has held up, more than anybody else may send at once", async () => {
    const roomId = await pair.create("ledger");
    const room = await join(roomId);
    const moved = new Promise<MigrateEvent>((resolve) => void room.onMigrate(resolve));
    await pair.move(roomId);
    await moved;
    say(room, BURST * 2);
    await expect.poll(() => heard(room)).toBe(BURST * 2);
    expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
    await room.leave();
  });
});

describe("the budget of a connection", () => {
  const admitted = (budget: TokenBucket, offered: number, atMs: number): number =>
    Array.from({ length: offered }, () => budget.take(atMs)).filter(Boolean).length;

  it("admits ten seconds' worth at once, its rate in the long run, and saves no more up", () => {
    const budget = playerBucket(PER_SECOND, false, 0);
    expect(admitted(budget, 1_000, 0)).toBe(BURST);
    expect(admitted(budget, 1_000, 1_000)).toBe(PER_SECOND);
    expect(admitted(budget, 1_000, 3_600_000)).toBe(BURST);
  });

  it("begins with half a minute's more where a session goes on, once", () => {
    const budget = playerBucket(PER_SECOND, true, 0);
    expect(admitted(budget, 10, 60_000)).toBe(10);
    expect(admitted(budget, 2_000, 60_000)).toBe(PER_SECOND * 40 - 10);
    expect(admitted(budget, 2_000, 120_000)).toBe(BURST);
  });

  it("counts bytes as it counts frames", () => {
    const budget = playerBucket(1_000, false, 0);
    expect([budget.take(0, 9_000), budget.take(0, 1_001), budget.take(0, 1_000)]).toEqual([
      true,
      false,
      true,
    ]);
    expect([budget.take(500, 501), budget.take(500, 500)]).toEqual([false, true]);
  });

  it("admits everything where there is no limit", () => {
    expect(admitted(playerBucket(0, false, 0), 100_000, 0)).toBe(100_000);
  });
});

/** A socket that somebody else writes to. */
function fakeSocket() {
  let listener: (frame: Buffer) => void = () => undefined;
  const closed: number[] = [];
  const socket: ServerSocket = {
    send: () => undefined,
    close: (code) => void closed.push(code),
    onMessage: (given) => {
      listener = given;
    },
    onClose: () => undefined,
  };
  return { socket, closed, say: (bytes: number) => listener(Buffer.alloc(bytes, 1)) };
}

describe("a connection", () => {
  it("is closed when it sends more bytes than it may, and what follows is not heard", () => {
    const { socket, closed, say } = fakeSocket();
    let heard = 0;
    const limits = { maxFramesPerSecond: 0, maxBytesPerSecond: 10_000 };
    new LimitedSocket(socket, limits, { resends: false, measures: false }).onMessage((frame) => {
      heard += frame.byteLength;
    });
    for (let i = 0; i < 20; i++) say(10_000);
    expect([heard, closed]).toEqual([100_000, [CLOSE_TOO_FAST]]);
  });

  it("has a budget while its room stands still", () => {
    const { socket, closed, say } = fakeSocket();
    const link = new SessionLink(true);
    link.attach(socket);
    link.freeze();
    for (let i = 0; i < 70; i++) say(64 * 1024);
    expect(closed[0]).toBe(CLOSE_TOO_FAST);
    const kept = link.takeLate().reduce((sum, frame) => sum + frame.byteLength, 0);
    expect(kept).toBe(4 * 1024 * 1024);
  });

  it("that is being closed is not read on", () => {
    const ended: string[] = [];
    const failed = (cause: unknown): void => void ended.push(String(cause));
    const frames = new EarlyFrames(100, () => ended.push("too many"), failed);
    frames.received(Buffer.alloc(100), (frame) => frame);
    frames.received(Buffer.alloc(1), (frame) => frame);
    const heard: Buffer[] = [];
    frames.listen((frame) => heard.push(frame));
    expect([ended, heard]).toEqual([["too many"], []]);
  });

  it("gets what follows a frame that cannot be handled, whether it waited or not", () => {
    const failed: unknown[] = [];
    const frames = new EarlyFrames(
      100,
      () => undefined,
      (cause) => failed.push(cause),
    );
    const say = (byte: number): void => frames.received(Buffer.from([byte]), (frame) => frame);
    say(1);
    say(2);
    const heard: (number | undefined)[] = [];
    frames.listen((frame) => {
      if (frame[0] === 1 || frame[0] === 3) throw frame[0];
      heard.push(frame[0]);
    });
    say(3);
    say(4);
    expect([heard, failed]).toEqual([
      [2, 4],
      [1, 3],
    ]);
  });
});
