/** A host that no broker has heard of lately may not run its rooms, nor send one of them away. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { Lease } from "../../infra/room-host/dist/lease.js";
import { monotonicMs } from "../../infra/room-host/dist/monotonic.js";
import type { LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

let pair: PairOfHosts;
beforeAll(async () => {
  pair = await PairOfHosts.start();
});
afterAll(() => pair[Symbol.asyncDispose]());

it("stands still when its lease is over, refuses to move, and goes on with all that was said meanwhile (OWN-6)", async () => {
  const roomId = await pair.create("ledger");
  const room = await pair.client().joinById<LedgerState>(roomId);
  room.onMessage("shot", () => undefined);
  const heard = (): number => room.state.entries.get(room.sessionId)?.count ?? 0;
  let said = 0;
  const say = (): void => void room.send("say", ++said);
  say();
  await expect.poll(heard).toBe(1);
  const clockMs = async (): Promise<number> => (await pair.inspect(roomId)).clockMs;
  pair.carriers.a.renewLease(100);
  await expect
    .poll(async () => {
      const before = await clockMs();
      await new Promise((resolve) => setTimeout(resolve, 100));
      return (await clockMs()) - before;
    })
    .toBe(0);
  say();
  await expect(pair.move(roomId)).rejects.toMatchObject({ code: "ROOM_BUSY" });
  expect(heard()).toBe(1);
  // Over when it arrives: what waited to be read for so long changes nothing.
  pair.carriers.a.renewLease(-1);
  pair.carriers.a.renewLease(60_000);
  await expect.poll(heard).toBe(2);
  await pair.move(roomId);
  say();
  await expect.poll(heard).toBe(3);
  expect(room.state.entries.get(room.sessionId)?.disorder).toBe(0);
  await room.leave();
});

it("builds no room by an order that waited until its lease was over, whether or not that was renewed since (FAIL-6)", async () => {
  const { b } = pair.carriers;
  const from = { kind: "checkpoint", data: "" } as const;
  const order = {
    method: "restoreRoom",
    migrationId: "m",
    roomId: "waits",
    name: "ledger",
    carrier: "process",
    epoch: 2,
    from,
  } as const;
  b.renewLease(60_000);
  // Its process has to be waited for.
  const early = b.handle(order);
  b.renewLease(-1);
  b.renewLease(60_000);
  await expect(early).rejects.toMatchObject({ code: "HOST_LOST" });
  b.renewLease(-1);
  await expect(b.handle(order)).rejects.toMatchObject({ code: "HOST_LOST" });
  b.renewLease(60_000);
  // In time, it is looked at.
  await expect(b.handle(order)).rejects.not.toMatchObject({ code: "HOST_LOST" });
});

it("runs out when it is over and not before, though nobody asks, and again after each renewal", async () => {
  const expired: number[] = [];
  let wake: () => void = () => undefined;
  const lease = new Lease({
    onExpired: () => {
      expired.push(monotonicMs());
      wake();
    },
    onLapsed: () => undefined,
    onRenewed: () => undefined,
  });
  const over = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
    });
  for (const round of [1, 2]) {
    const untilMs = monotonicMs() + 200;
    lease.renew(untilMs - 150, false);
    lease.renew(untilMs, false);
    // The timers of leases do not keep a process alive.
    const alive = setInterval(() => undefined, 1_000);
    await over();
    clearInterval(alive);
    expect(expired).toHaveLength(round);
    expect(expired.at(-1)).toBeGreaterThanOrEqual(untilMs);
    expect(lease.holds()).toBe(false);
  }
});
