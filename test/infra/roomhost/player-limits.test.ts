/** A player who sends more than it may is put out; the others play on, and who only catches up is left alone. */
import { CLOSE_TOO_FAST } from "@centroid/protocol";
import type { MigrateEvent } from "@centroid/sdk";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Budget } from "../../../infra/dist/roomhost/player-limits.js";
import type { LedgerRoom, LedgerState } from "../../support/ledger.js";
import { PairOfHosts } from "../../support/pair-of-hosts.js";

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
  const admitted = (budget: Budget, offered: number, atMs: number): number =>
    Array.from({ length: offered }, () => budget.admit(atMs)).filter(Boolean).length;

  it("admits ten seconds' worth at once, its rate in the long run, and saves no more up", () => {
    const budget = new Budget(PER_SECOND, false, 0);
    expect(admitted(budget, 1_000, 0)).toBe(BURST);
    expect(admitted(budget, 1_000, 1_000)).toBe(PER_SECOND);
    expect(admitted(budget, 1_000, 3_600_000)).toBe(BURST);
  });

  it("begins with half a minute's more where a session goes on, once", () => {
    const budget = new Budget(PER_SECOND, true, 0);
    expect(admitted(budget, 10, 60_000)).toBe(10);
    expect(admitted(budget, 2_000, 60_000)).toBe(PER_SECOND * 40 - 10);
    expect(admitted(budget, 2_000, 120_000)).toBe(BURST);
  });

  it("admits everything where there is no limit", () => {
    expect(admitted(new Budget(0, false, 0), 100_000, 0)).toBe(100_000);
  });
});
