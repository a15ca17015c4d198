/** A room that is called off while it is being created must not come into being later: it may run elsewhere by then. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start(join(import.meta.dirname, "../fixtures/slow-rooms"));
});
afterAll(() => pair[Symbol.asyncDispose]());

const create = (roomId: string, epoch: number) =>
  pair.carriers.a.handle({
    method: "createRoom",
    roomId,
    name: "slow",
    options: {},
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
