/** A session that begins anew, as Colyseus reconnects: what its connections had carried and the room had not heard. */
import { expect, it } from "vitest";
import { SessionFrames } from "../../client/sdk/dist/session-frames.js";

const frame = (n: number): Uint8Array => Uint8Array.of(13, n);
const frames = (...numbers: number[]): Uint8Array[] => numbers.map(frame);

/** A session that had frames of the room, said four and lost its connection before the fourth. */
function broken(): SessionFrames {
  const session = new SessionFrames();
  session.came(10);
  for (const n of [1, 2, 3]) session.sent(frame(n), true);
  session.confirm(1);
  session.sent(frame(4), false);
  expect(session.takeUnsent()).toEqual(frames(4));
  return session;
}

it("says them again once, however many attempts it takes, and not what somebody else keeps", () => {
  const session = broken();
  for (let attempts = 0; attempts < 3; attempts++) {
    session.reset();
    session.returned(2);
  }
  session.came(10);
  expect(session.takeMissing()).toEqual(frames(3));
  expect(session.takeMissing()).toEqual([]);
  // What it says from there on is counted anew.
  for (const n of [3, 4]) session.sent(frame(n), true);
  session.reset();
  session.returned(1);
  session.came(10);
  expect(session.takeMissing()).toEqual(frames(4));
});

it("says nothing again to a host that does not say what it has had, then or at the next return", () => {
  const session = broken();
  session.reset();
  session.came(10);
  expect(session.takeMissing()).toEqual([]);
  session.reset();
  session.returned(0);
  session.came(10);
  expect(session.takeMissing()).toEqual([]);
});
