/** How long what players measure may wait on its way to the broker: longer only while it says nothing new. */
import { EventEmitter } from "node:events";
import { expect, it } from "vitest";
import { mayWaitMs, NEWS_MS, ROUTINE_MS } from "../../infra/room-host/dist/news.js";
import { HostedRooms } from "../../infra/room-host/dist/rooms/hosted-rooms.js";
import { Pauses } from "../../infra/room-host/dist/rooms/pauses.js";

it("what a player measures waits longer once the broker has it measure rarely, and no longer than that", () => {
  const waitsMs: number[] = [];
  const rooms = new HostedRooms(
    {
      processId: "a-1",
      address: "127.0.0.1:1",
      emit: (_roomId, _epoch, change, isRoutine) => waitsMs.push(mayWaitMs(change, isRoutine)),
      compareIntervalMs: 0,
      notice: () => undefined,
      mayRun: () => true,
      now: () => 0,
    },
    new Pauses(),
    () => undefined,
  );
  const link = Object.assign(new EventEmitter(), { control: () => undefined });
  const client = { sessionId: "ann", link } as never;
  const room = { clients: new Map([["ann", client]]) };
  const hosted = { epoch: 1, stage: { name: "running", room } } as never;
  rooms.set("duel", hosted);
  rooms.listen("duel", hosted, client);
  const measures = (): boolean => link.emit("control", { type: "measured", probes: [] });
  measures();
  for (const intervalMs of [2_000, 5_000, 30_000, 250]) {
    rooms.measure({ roomId: "duel", sessionId: "ann", next: [], intervalMs });
    measures();
  }
  expect(waitsMs).toEqual([NEWS_MS, NEWS_MS, ROUTINE_MS, ROUTINE_MS, NEWS_MS]);
});
