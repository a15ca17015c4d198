/** A source that goes on after its move was called off, though the destination had run and saved for a moment (OWN-5). */
import { expect, it } from "vitest";
import { RoomEventRouter } from "../../server/broker/dist/rooms/event-router.js";
import { MemoryStore } from "../../server/broker/dist/store/memory-store.js";

it("what it saves replaces what the destination did, before it is confirmed", async () => {
  const store = new MemoryStore();
  let owns = true;
  const room = { stage: { hostId: "source" }, epoch: 4, fencedEpoch: 5 };
  const router = new RoomEventRouter({
    store,
    rooms: { get: () => room },
    rescues: { hasBegunToRead: () => false },
    owns: () => owns,
  } as never);
  const saved = { roomId: "room-1", takenAtMs: 1, data: Buffer.from("d") };
  await store.putCheckpoint({ ...saved, epoch: 5, seq: 1 });
  const save = (seq: number) =>
    router.checkpoint("source", { ...saved, type: "checkpoint", epoch: 4, seq, data: "c291cmNl" });
  await save(7);
  const found = await store.checkpoint("room-1");
  expect([found?.epoch, found?.seq, Buffer.from(found!.data).toString()]).toEqual([4, 7, "source"]);

  // A broker that does not decide about the room neither keeps nor confirms anything (FAIL-5).
  owns = false;
  await expect(save(9)).rejects.toMatchObject({ code: "STALE_EPOCH" });
  expect((await store.checkpoint("room-1"))?.seq).toBe(7);
  owns = true;

  // The next owner's is not replaced by a late one of the source.
  await store.putCheckpoint({ ...saved, epoch: 6, seq: 1 });
  await save(8);
  expect((await store.checkpoint("room-1"))?.epoch).toBe(6);
});
