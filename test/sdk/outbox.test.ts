/** What a player has sent and what is not safe yet. */
import { expect, it } from "vitest";
import { Outbox } from "../../client/sdk/dist/outbox.js";

it("is numbered as the host counts, whatever is confirmed or dropped before", () => {
  const outbox = new Outbox();
  const frame = (n: number): Uint8Array => Uint8Array.of(n);
  for (let n = 0; n < 10; n++) outbox.push(frame(n));
  outbox.confirm(4);
  outbox.confirm(2);
  expect(outbox.goOnAfter(6)).toEqual({ frames: [6, 7, 8, 9].map(frame), missing: 0 });
  // A host that goes on from an earlier save: what is not here any more is lost, and the rest takes its numbers.
  expect(outbox.goOnAfter(1)).toEqual({ frames: [4, 5, 6, 7, 8, 9].map(frame), missing: 3 });
  expect(outbox.sent).toBe(7);
  outbox.push(frame(10));
  expect(outbox.goOnAfter(6)).toEqual({ frames: [9, 10].map(frame), missing: 0 });
  outbox.withdraw(1);
  expect([outbox.sent, outbox.goOnAfter(6).frames]).toEqual([7, [frame(9)]]);
  outbox.withdraw(99);
  expect([outbox.sent, outbox.goOnAfter(1).frames]).toEqual([1, []]);
});

it("is freed at once however much a room that was not saved for long has left in it", () => {
  const outbox = new Outbox();
  const frames = 400_000;
  const small = new Uint8Array(10);
  const before = process.cpuUsage();
  for (let n = 0; n < frames; n++) outbox.push(small);
  outbox.confirm(frames);
  expect(outbox.goOnAfter(frames)).toEqual({ frames: [], missing: 0 });
  // A shift of each would move all that are behind it.
  const { user, system } = process.cpuUsage(before);
  expect((user + system) / 1_000_000).toBeLessThan(4);
});
