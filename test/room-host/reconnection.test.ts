/** A session of Centroid's SDK that comes back by Colyseus' own reconnection: what its last connection lost is said again. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { CuttableProxy } from "../support/cuttable-proxy.js";
import type { LedgerRoom, LedgerState } from "../support/ledger.js";
import { PairOfHosts } from "../support/pair-of-hosts.js";

const patiently = { timeout: 60_000, interval: 20 };
let pair: PairOfHosts;
let proxy: CuttableProxy;
let target = "";
beforeAll(async () => {
  pair = await PairOfHosts.start(undefined, 0, 0, 50);
  proxy = await CuttableProxy.start(() => target);
  pair.via = (address) => {
    target = address;
    return proxy.address;
  };
  pair.between = (address) => address;
}, 60_000);
afterAll(async () => {
  await proxy[Symbol.asyncDispose]();
  await pair[Symbol.asyncDispose]();
});

it("after a connection that broke, with what was on its way and what was said meanwhile (MSG-8)", async () => {
  const roomId = await pair.create("ledger");
  const room = (await pair.client().joinById<LedgerState>(roomId)) as LedgerRoom;
  room.onMessage("shot", () => undefined);
  const entry = () => room.state?.entries?.get(room.sessionId);
  let said = 0;
  const say = (times: number): void => {
    for (let more = 0; more < times; more++) room.send("say", ++said);
  };
  say(10);
  await expect.poll(() => entry()?.count, patiently).toBe(10);
  proxy.deafen();
  say(5);
  const back = new Promise<void>((resolve) => room.onReconnect.once(() => resolve()));
  proxy.cut();
  say(5);
  await back;
  say(1);
  await expect.poll(() => entry()?.last, patiently).toBe(said);
  expect(entry()).toMatchObject({ count: said, disorder: 0 });
  await room.leave();
}, 120_000);
