/** Rooms whose onCreate() or onAuth() waits for a service for longer than the broker waits for a host's answer. */
import { join } from "node:path";
import { CentroidClient } from "@centroid/sdk";
import { startTestSystem } from "@centroid/server/testing";
import { expect, it } from "vitest";

it("a room and a seat that take 12 s are waited for, at one host", async () => {
  const rooms = join(import.meta.dirname, "../fixtures/patient-rooms");
  await using system = await startTestSystem({ rooms, hosts: ["a", "b"] });
  const client = (): CentroidClient => new CentroidClient(system.url, { probing: false });
  const quick = await client().create("level", { createMs: 0 });
  const [slow, late] = await Promise.all([
    client().create("level", { createMs: 12_000 }),
    client().joinById(quick.roomId, { authMs: 12_000 }),
  ]);
  expect(late.roomId).toBe(quick.roomId);
  const answer = await fetch(`${system.url}/api/v1/rooms`);
  const listed = (await answer.json()) as { roomId: string }[];
  expect(listed.map(({ roomId }) => roomId)).toEqual([quick.roomId, slow.roomId]);
  await Promise.all([quick, slow, late].map((room) => room.leave()));
}, 90_000);
