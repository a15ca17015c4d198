/** A seat is one player's, once, in one room, for a while: everything else is refused, and who sits notices nothing. */
import { ErrorCode } from "@colyseus/core";
import { Client as StockClient } from "@colyseus/sdk";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { LedgerState } from "../support/ledger.js";
import { type HostId, PairOfHosts } from "../support/pair-of-hosts.js";

/** "Ask the broker where the room is now." */
const CLOSE_ROOM_MOVED = 4010;

let pair: PairOfHosts;
let next = 0;
beforeAll(async () => {
  pair = await PairOfHosts.start();
});
afterAll(() => pair[Symbol.asyncDispose]());

interface Seat {
  name: string;
  sessionId: string;
  roomId: string;
  processId: string;
  publicAddress: string;
}
async function reserve(roomId: string, hostId: HostId = "a"): Promise<Seat> {
  const sessionId = `seat-${++next}`;
  const { processId, address } = await pair.carriers[hostId].handle({
    method: "reserveSeat",
    roomId,
    sessionId,
    playerId: `player-${next}`,
    options: {},
  });
  return { name: "ledger", sessionId, roomId, processId, publicAddress: address };
}
const take = (seat: Seat) => new StockClient(pair.url).consumeSeatReservation<LedgerState>(seat as never);
const isOver = { code: ErrorCode.MATCHMAKE_EXPIRED, message: "seat reservation expired." };
const sessions = async (roomId: string): Promise<string[]> => [...(await pair.inspect(roomId)).sessions];

it("is taken once: not again beside the one who sits, not by two at the same time, not after it left", async () => {
  const roomId = await pair.create("ledger");
  const other = await take(await reserve(roomId));
  const seat = await reserve(roomId);
  const room = await take(seat);
  room.onMessage("shot", () => undefined);
  const closed: number[] = [];
  room.onDrop((code) => closed.push(code));
  room.onLeave((code) => closed.push(code));
  await expect(take(seat)).rejects.toMatchObject(isOver);
  room.send("say", 1);
  await expect.poll(() => room.state.entries.get(seat.sessionId)?.count).toBe(1);
  expect(closed).toEqual([]);
  // The other host runs the room from here on: what was used up there is used up here.
  await pair.move(roomId);
  const { owner } = pair;
  const there = (await pair.carriers.b.reports()).find((report) => report.roomId === roomId)!;
  expect(owner.get(roomId)).toMatchObject({ hostId: "b" });
  const moved = { ...seat, processId: there.processId, publicAddress: there.address };
  await expect(take(moved)).rejects.toMatchObject(isOver);
  const left = new Promise((resolve) => room.onLeave(resolve));
  await room.leave();
  await left;
  await expect.poll(() => sessions(roomId)).not.toContain(seat.sessionId);
  await expect(take(moved)).rejects.toMatchObject(isOver);
  const twice = await reserve(roomId, "b");
  const results = await Promise.allSettled([take(twice), take(twice)]);
  expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  expect((await sessions(roomId)).filter((sessionId) => sessionId === twice.sessionId)).toHaveLength(1);
  await other.leave();
  for (const result of results) if (result.status === "fulfilled") await result.value.leave();
});

it("is for one room: not for another beside it, nor on another host; it still is for its own", async () => {
  const [here, beside] = [await pair.create("ledger"), await pair.create("ledger")];
  const seat = await reserve(here);
  await expect(take({ ...seat, roomId: beside })).rejects.toMatchObject(isOver);
  const elsewhere = await pair.create("ledger", {}, "b");
  const { processId, publicAddress } = await reserve(elsewhere, "b");
  await expect(take({ ...seat, roomId: elsewhere, processId, publicAddress })).rejects.toMatchObject(isOver);
  await expect(take({ ...seat, processId, publicAddress })).rejects.toMatchObject({ code: CLOSE_ROOM_MOVED });
  expect(await sessions(beside)).toEqual([]);
  expect(await sessions(elsewhere)).toEqual([]);
  const room = await take(seat);
  expect(await sessions(here)).toEqual([seat.sessionId]);
  await room.leave();
});

it("is over when its time is, and frees the place it held", async () => {
  const roomId = await pair.create("ledger", { maxClients: 2, seatSeconds: 0.5 });
  const room = await take(await reserve(roomId));
  const seat = await reserve(roomId);
  await expect(reserve(roomId)).rejects.toMatchObject({ code: "ROOM_FULL" });
  const isFree = () => reserve(roomId).then(Boolean, () => false);
  await expect.poll(isFree).toBe(true);
  await expect(take(seat)).rejects.toMatchObject(isOver);
  expect(await sessions(roomId)).toEqual([room.sessionId]);
  await room.leave();
});

it("is refused together with the room it would have made", async () => {
  const { a } = pair.carriers;
  const create = (roomId: string, authToken?: string) =>
    a.handle({
      method: "createRoom",
      roomId,
      name: "club",
      options: {},
      carrier: "process",
      epoch: 1,
      seat: { sessionId: `${roomId}-seat`, playerId: "p", options: {}, ...(authToken && { authToken }) },
    });
  await expect(create("outside", "stranger")).rejects.toMatchObject({
    code: "UNAUTHORIZED",
    message: "members only",
  });
  expect((await a.reports()).map(({ roomId }) => roomId)).not.toContain("outside");
  expect(pair.told.filter(({ roomId }) => roomId === "outside")).toEqual([]);
  const { processId, address } = await create("inside", "member");
  const seat = {
    name: "club",
    sessionId: "inside-seat",
    roomId: "inside",
    processId,
    publicAddress: address,
  };
  const room = await new StockClient(pair.url).consumeSeatReservation(seat as never);
  expect([...(await a.handle({ method: "inspect", roomId: "inside" })).sessions]).toEqual(["inside-seat"]);
  await room.leave();
});
