/** Lock and test messages on a real room host, seen by real clients. */
import type { AgentRequest, OperatorMessage } from "@centroid/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start();
});
afterAll(() => pair[Symbol.asyncDispose]());

const ask = <R extends AgentRequest>(request: R) => pair.carriers.a.handle(request);

it("locks a room for newcomers; who is in stays, and a move carries the lock", async () => {
  const roomId = await pair.create("ledger");
  const room = await pair.client().joinById(roomId);
  expect(await ask({ method: "setLocked", roomId, locked: true })).toEqual({ locked: true });
  expect(pair.told.at(-1)).toMatchObject({ roomId, change: { event: "listing", locked: true } });
  expect(room.connection.isOpen).toBe(true);
  const moved = new Promise((resolve) => room.onMigrate(resolve));
  await pair.move(roomId);
  await moved;
  const [report] = (await pair.carriers.b.reports()).filter((candidate) => candidate.roomId === roomId);
  expect(report).toMatchObject({ locked: true });
  expect(await pair.carriers.b.handle({ method: "setLocked", roomId, locked: false })).toEqual({
    locked: false,
  });
  await room.leave();
});

it("sends test messages to everyone, to one player, and to the room as one of them", async () => {
  const roomId = await pair.create("ledger");
  const rooms = await Promise.all([pair.client().joinById(roomId), pair.client().joinById(roomId)]);
  const heard = rooms.map((room) => {
    const messages: unknown[] = [];
    room.onMessage("shot", () => undefined);
    room.onMessage("notice", (payload: unknown) => void messages.push(payload));
    return messages;
  });
  const send = (message: OperatorMessage) => ask({ method: "message", roomId, message });
  expect(await send({ to: { kind: "everyone" }, type: "notice", payload: { text: "closing" } })).toEqual({
    receivers: 2,
  });
  const { sessionId } = rooms[0]!;
  await send({ to: { kind: "player", sessionId }, type: "notice", payload: [1.5, null] });
  await send({ to: { kind: "room", fromSessionId: sessionId }, type: "label", payload: "by the operator" });
  await expect.poll(async () => (await pair.inspect(roomId)).state.label).toBe("by the operator");
  await expect.poll(() => heard).toEqual([[{ text: "closing" }, [1.5, null]], [{ text: "closing" }]]);
  await expect(send({ to: { kind: "player", sessionId: "none" }, type: "x" })).rejects.toMatchObject({
    code: "SESSION_NOT_FOUND",
  });
  // Counters of the connection are as before: a move after it loses and doubles nothing.
  const moved = Promise.all(rooms.map((room) => new Promise((resolve) => room.onMigrate(resolve))));
  await pair.move(roomId);
  for (const event of await moved) expect(event).toMatchObject({ lost: 0, duplicated: 0 });
  await Promise.all(rooms.map((room) => room.leave()));
});
