/** Messages that can wait cost no write of their own. */
import { batched, MessageBatch, unbatched } from "@centroid/protocol/node";
import { afterEach, beforeEach, expect, it, vi } from "vitest";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function batch() {
  const writes: string[] = [];
  const made = new MessageBatch<string>((messages) => void writes.push(messages.join(" ")));
  return { writes, made };
}

it("what can wait goes along with what cannot, in order", () => {
  const { writes, made } = batch();
  made.send("joined", 50);
  made.send("saved", 250);
  expect(writes).toEqual([]);
  made.send("answer");
  expect(writes).toEqual(["joined saved answer"]);
  vi.advanceTimersByTime(300);
  expect(writes).toHaveLength(1);
});

it("goes alone when the first of it is due", () => {
  const { writes, made } = batch();
  made.send("saved", 250);
  vi.advanceTimersByTime(10);
  made.send("joined", 50);
  vi.advanceTimersByTime(49);
  expect(writes).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(writes).toEqual(["saved joined"]);
});

it("one message travels as it is, several as one", () => {
  expect(batched([{ type: "a" }])).toEqual({ type: "a" });
  const several = [{ type: "a" }, { type: "b" }];
  expect(unbatched(batched(several))).toEqual(several);
  expect(unbatched({ type: "batch", messages: "no list" })).toEqual([{ type: "batch", messages: "no list" }]);
});
