/** A move that was called off while its source was away: the source is told when it is back, until it has understood. */
import { expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { RoomReconciler } from "../../server/broker/dist/rooms/reconciler.js";

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
};

const nothing = (): void => undefined;

it("a source that answers with an error is asked again after a pause, and no longer once it is gone", async () => {
  const later: (() => void)[] = [];
  let asked = 0;
  let fails = true;
  const peer = {
    request: () => {
      asked++;
      return fails ? Promise.reject(new Error("the room host does not answer")) : Promise.resolve({});
    },
  };
  const host = { facts: { hostId: "source" }, peer: peer as object | undefined };
  const room = {
    ...{ roomId: "room", epoch: 1, fencedEpoch: 2, calledOff: "move" as string | undefined },
    stage: { state: "running", hostId: "source" },
  };
  const reconciler = new RoomReconciler({
    rooms: { get: () => room, apply: nothing, listing: nothing, count: nothing },
    events: new Emitter(),
    remembered: new Map(),
    tracked: { has: () => false },
    clock: { now: () => 0, after: (_ms: number, run: () => void) => later.push(run) },
    logger: { warn: nothing },
  } as never);
  const report = { roomId: "room", epoch: 1, processId: "p", address: "127.0.0.1:1", sessions: [] };
  reconciler.reported(host as never, report as never);
  await turns(20);
  expect([asked, later.length, room.calledOff]).toEqual([1, 1, "move"]);
  fails = false;
  later.shift()?.();
  await turns(20);
  expect([asked, later.length, room.calledOff]).toEqual([2, 0, undefined]);

  room.calledOff = "another";
  fails = true;
  reconciler.reported(host as never, report as never);
  await turns(20);
  host.peer = undefined;
  later.shift()?.();
  await turns(20);
  expect([asked, later.length]).toEqual([3, 0]);
});
