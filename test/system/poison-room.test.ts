/** A message that ends or hangs the process of its room's host: not for ever, and not for the rooms beside it. */
import { join } from "node:path";
import type { Receipt } from "@centroid/protocol";
import { CentroidClient, type CentroidRoom } from "@centroid/sdk";
import { startTestSystem, type TestSystem } from "@centroid/server/testing";
import { afterAll, beforeAll, expect, it } from "vitest";

let system: TestSystem;
beforeAll(async () => {
  const rooms = join(import.meta.dirname, "../fixtures/handler-rooms");
  system = await startTestSystem({ rooms, hosts: ["a", "b"] });
}, 60_000);
afterAll(async () => {
  await system[Symbol.asyncDispose]();
});

const client = (): CentroidClient => new CentroidClient(system.url, { probing: false });
const hostOf = ({ host }: Pick<CentroidRoom, "host">): string => host.hostId;

it("a handler that throws, at once or later, ends nothing", async () => {
  const room = await client().create<{ heard: number }>("poison");
  let moves = 0;
  room.onMigrate(() => void moves++);
  for (const type of ["throw", "throw later", "count"]) room.send(type);
  await expect.poll(() => room.state?.heard).toBe(1);
  room.send("count");
  await expect.poll(() => room.state.heard).toBe(2);
  expect(moves).toBe(0);
  await room.leave();
}, 60_000);

it.each(["exit", "exit later", "hang"])(
  'a room whose message "%s" takes its process along twice is ended, and its neighbours go on',
  async (type) => {
    const neighbour = await client().create<{ round: number }>("eye");
    for (const heard of ["all", "one"]) neighbour.onMessage(heard, () => undefined);
    const poison = await client().create<{ heard: number }>("poison");
    if (hostOf(poison) !== hostOf(neighbour)) {
      const beside = new Promise((resolve) => void poison.onMigrate(resolve));
      await system.move(poison.roomId, hostOf(neighbour));
      await beside;
    }
    neighbour.send("ring");
    await expect.poll(() => neighbour.state?.round).toBe(1);
    let deaths = 0;
    neighbour.onMigrate(({ restored, lost }) => {
      if (restored) deaths++;
      expect(lost).toBe(0);
    });
    const closed = new Promise<{ code: number; reason: string | undefined }>((resolve) => {
      poison.onLeave((code, reason) => resolve({ code, reason }));
    });
    poison.send(type);
    const { code, reason } = await closed;
    expect(code).toBe(4002);
    expect(reason).toContain(`message "${type}"`);
    neighbour.send("ring");
    await expect.poll(() => neighbour.state.round).toBe(2);
    expect(deaths).toBeLessThanOrEqual(2);
    const failure = async (): Promise<{ code: string; message: string } | undefined> => {
      const answer = await fetch(`${system.url}/api/v1/receipts?roomId=${poison.roomId}`);
      const receipts = (await answer.json()) as Receipt[];
      return receipts.find(({ outcome }) => outcome === "failed")?.error;
    };
    await expect.poll(failure).toMatchObject({ code: "ROOM_CRASHED" });
    const { message } = (await failure())!;
    expect(message).toContain(`message "${type}" from session ${poison.sessionId}`);
    // Noticed by the loop that stood still, not by a process that says nothing at all.
    expect(message).toContain(type === "hang" ? "hung the process" : "ended the process");
    const rooms = async (): Promise<string[]> => {
      const listed = (await (await fetch(`${system.url}/api/v1/rooms`)).json()) as { roomId: string }[];
      return listed.map(({ roomId }) => roomId);
    };
    // What earlier cases left ends by itself, too.
    await expect.poll(rooms).toEqual([neighbour.roomId]);
    await neighbour.leave();
  },
  90_000,
);
