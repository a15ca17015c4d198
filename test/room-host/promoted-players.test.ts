/** Players who are connected to a standby whose room was to move there, and whose source is not to be had any more. */
import { CLOSE_ABNORMAL } from "@centroid/protocol";
import { expect, it } from "vitest";
import { CLOSE_CANCELLED } from "../../infra/room-host/dist/handoff/arriving-players.js";
import { HandoffDestination } from "../../infra/room-host/dist/handoff/destination.js";

const nothing = () => undefined;

/** A connection, broken already or not, and by which codes it is closed here. */
function connection(broken: boolean) {
  const closed: number[] = [];
  const socket = {
    ...{ send: nothing, onMessage: nothing },
    close: (code: number) => void closed.push(code),
    onClose: (listener: (code: number) => void) => {
      if (broken) listener(CLOSE_ABNORMAL);
    },
  };
  return { socket, closed };
}

function destination(): HandoffDestination {
  const room = {
    move: { clock: { hold: nothing }, work: { warm: async () => undefined }, snapshot: {}, release: nothing },
  };
  return new HandoffDestination({
    ...{ migrationId: "m", epoch: 2, deadlineMs: 60_000, now: () => performance.now(), mayRun: () => true },
    createRoom: async () => room as never,
    ...{ onSessions: nothing, onOwned: nothing, onResumed: nothing, onEnded: nothing },
  });
}
const fed = { begin: { options: {}, hasState: false }, nodes: [] };

it("are let go if the feed has broken when it is to become the line of the move", async () => {
  const there = destination();
  expect(await there.build(fed)).toBe(true);
  const ann = connection(false);
  there.acceptPromoted({ feed: connection(true).socket, players: new Map([["ann", ann.socket]]) });
  expect(ann.closed).toEqual([CLOSE_CANCELLED]);
  await expect.poll(() => there.state).toBe("ended");
  expect(ann.closed).toEqual([CLOSE_CANCELLED]);
});

it("are let go if the room was not built there, or has its source already", async () => {
  const there = destination();
  const [early, ann, bob] = [connection(false), connection(false), connection(false)];
  there.acceptPromoted({ feed: early.socket, players: new Map([["ann", ann.socket]]) });
  expect([early.closed, ann.closed]).toEqual([[CLOSE_CANCELLED], [CLOSE_CANCELLED]]);
  expect(await there.build(fed)).toBe(true);
  there.acceptSource(connection(false).socket);
  const late = connection(false);
  there.acceptPromoted({ feed: late.socket, players: new Map([["bob", bob.socket]]) });
  expect([late.closed, bob.closed]).toEqual([[CLOSE_CANCELLED], [CLOSE_CANCELLED]]);
  there.abort();
});

it("are kept for the room while its source is there", async () => {
  const there = destination();
  expect(await there.build(fed)).toBe(true);
  const ann = connection(false);
  there.acceptPromoted({ feed: connection(false).socket, players: new Map([["ann", ann.socket]]) });
  expect(ann.closed).toEqual([]);
  there.abort();
  expect(ann.closed).toEqual([CLOSE_CANCELLED]);
});
