/** A save that no broker keeps: the room is saved again soon, and whoever waits for it hears why. */
import { CentroidError } from "@centroid/protocol";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Checkpointer } from "../../infra/room-host/dist/checkpoint/checkpointer.js";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const REFUSED = new CentroidError("STALE_EPOCH", "the room is another broker's");

/** Saves of a room that stays as it is, by number. */
function saves() {
  const made: number[] = [];
  let seq = 0;
  class OfNothing extends Checkpointer {
    override take() {
      return { seq: ++seq, takenAtMs: 0, bytes: new Uint8Array() };
    }
  }
  const room = { roomId: "room", clients: [], move: { clock: {}, activity: {}, patches: { count: 1 } } };
  const checkpointer = new OfNothing({
    ...{ room, options: {}, intervalMs: 2_000, sinceMs: 0, now: () => Date.now(), paused: () => false },
    save: (saved: { seq: number }) => void made.push(saved.seq),
    acknowledgements: { saved: () => undefined },
    onUnprotected: () => undefined,
  } as never);
  return { made, checkpointer };
}

it("is followed by another a quarter of a second later, then ever later up to the interval, until one is kept", () => {
  const { made, checkpointer } = saves();
  vi.advanceTimersByTime(50);
  expect(made).toEqual([1]);
  // Where its turn beside other rooms comes sooner, it is saved then.
  const pausesMs = [
    [250, 250],
    [500, 500],
    [500, 1_000],
    [500, 2_000],
    [500, 2_000],
  ] as const;
  for (const [index, [leastMs, mostMs]] of pausesMs.entries()) {
    checkpointer.refused(index + 1, REFUSED);
    let afterMs = 0;
    for (; !made.includes(index + 2) && afterMs <= mostMs; afterMs++) vi.advanceTimersByTime(1);
    expect(afterMs).toBeGreaterThanOrEqual(leastMs);
    expect(afterMs).toBeLessThanOrEqual(mostMs);
  }
  // Of an earlier one.
  checkpointer.refused(2, REFUSED);
  checkpointer.confirmed(6);
  vi.advanceTimersByTime(60_000);
  expect(made).toEqual([1, 2, 3, 4, 5, 6]);
  checkpointer[Symbol.dispose]();
});

it("is told at once to who waits for it", async () => {
  const { checkpointer } = saves();
  const saved = checkpointer.saveNow();
  checkpointer.refused(1, REFUSED);
  await expect(saved).rejects.toBe(REFUSED);
  checkpointer[Symbol.dispose]();
});
