/** A room that is called off while it is being created must not come into being later: it may run elsewhere by then. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start(join(import.meta.dirname, "../fixtures/slow-rooms"));
});
afterAll(() => pair[Symbol.asyncDispose]());

const create = (roomId: string, epoch: number, options = {}) =>
  pair.carriers.a.handle({
    method: "createRoom",
    roomId,
    name: "slow",
    options,
    carrier: "process",
    epoch,
  });

it("ends before it runs, and the next one may have its id", async () => {
  const slow = create("r", 1);
  const calledOff = pair.carriers.a.handle({ method: "disposeRoom", roomId: "r", epoch: 1 });
  await expect(slow).rejects.toMatchObject({ code: "STALE_EPOCH" });
  await calledOff;
  expect(await pair.carriers.a.reports()).toEqual([]);
  await create("r", 2);
  expect(await pair.carriers.a.reports()).toMatchObject([{ roomId: "r", epoch: 2 }]);
});

it("is not called off by whoever knows only of an earlier one", async () => {
  const slow = create("s", 3);
  await pair.carriers.a.handle({ method: "disposeRoom", roomId: "s", epoch: 2 });
  await slow;
  expect((await pair.carriers.a.reports()).map(({ roomId }) => roomId)).toContain("s");
});

it("goes on though its process was busy for longer than its lease, which was renewed all the while", async () => {
  const { a } = pair.carriers;
  a.renewLease(300);
  const renewing = setInterval(() => a.renewLease(300), 50);
  await create("busy", 1, { busyMs: 1_000 });
  clearInterval(renewing);
  a.renewLease(60_000);
  expect((await a.reports()).map(({ roomId }) => roomId)).toContain("busy");
});

it("ends before it runs if the lease was over meanwhile: it may have been built elsewhere", async () => {
  const { a } = pair.carriers;
  const late = create("late", 1);
  // Answered after the order has arrived.
  await a.reports();
  a.renewLease(-1);
  a.renewLease(60_000);
  await expect(late).rejects.toMatchObject({ code: "STALE_EPOCH" });
  expect((await a.reports()).map(({ roomId }) => roomId)).not.toContain("late");
});

it("waits to be built until its host may run rooms, and is called off by whoever asks for that", async () => {
  const { a } = pair.carriers;
  a.renewLease(-1);
  const held = create("held", 1);
  const given = create("given", 1);
  await expect(
    Promise.race([held, new Promise((resolve) => setTimeout(() => resolve("waits"), 1_500))]),
  ).resolves.toBe("waits");
  await a.handle({ method: "disposeRoom", roomId: "held", epoch: 1 });
  await expect(held).rejects.toMatchObject({ code: "STALE_EPOCH" });
  a.renewLease(60_000);
  await expect(given).rejects.toMatchObject({ code: "STALE_EPOCH" });
});
