/** When a room that cannot be restored is over: never while some broker hears a host that may run it. */
import { expect, it } from "vitest";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { Failover } from "../../server/broker/dist/failover/failover.js";

/** A room whose host this broker does not know, and that no other host takes. Time is as quick as the attempts. */
function rescue() {
  let mayRun = true;
  let attempts = 0;
  const ended: string[] = [];
  const waiting = new Map<number, () => void>();
  const nothing = (): void => undefined;
  const room = {
    ...{ roomId: "room-1", name: "arena", carrier: "process", epoch: 1, fencedEpoch: 0 },
    ...{ stage: { state: "restoring", hostId: "a" }, sessions: new Map(), weights: {} },
  };
  const failover = new Failover({
    events: new Emitter(),
    rooms: { get: () => room },
    hosts: { get: () => undefined },
    store: {
      records: async () => [],
      openMigrations: async () => [],
      checkpoint: async () => ({ data: Buffer.from("saved") }),
    },
    formerOwners: {
      allLetGo: async () => {
        waiting.get(++attempts)?.();
        return mayRun ? undefined : ["a"];
      },
    },
    engine: { place: nothing },
    fallbackWarmer: { preferReady: () => ({ candidates: [] }) },
    farewell: { mayRun: () => false },
    openMoves: { undecided: () => false },
    crashes: { reason: nothing },
    ends: { lost: (_room: unknown, why: string) => ended.push(why) },
    clock: { now: () => 0, after: (_ms: number, run: () => void) => setImmediate(run) },
    logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    newId: () => "rescue",
    owns: () => true,
  } as never);
  failover.rescue(room as never, "wait");
  return {
    ended,
    attempted: (more: number) =>
      new Promise<void>((resolve) => {
        waiting.set(attempts + more, resolve);
      }),
    letGo: () => {
      mayRun = false;
    },
    [Symbol.dispose]: () => failover.stop(),
  };
}

it("while another broker hears its host it is left to that, however long; then no other may be found in 40 attempts", async () => {
  using world = rescue();
  await world.attempted(200);
  expect(world.ended).toEqual([]);
  world.letGo();
  await world.attempted(39);
  expect(world.ended).toEqual([]);
  await expect.poll(() => world.ended).toEqual(["and no other could take it"]);
});
