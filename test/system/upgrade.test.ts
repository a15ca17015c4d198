/** An upgrade as the runbook has it: every broker and every host is replaced, one after the other, and nobody notices. */
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Talker } from "../chaos/talker.js";
import { ADMIN_TOKEN, ChaosWorld } from "../chaos/world.js";

let world: ChaosWorld;
const talkers: Talker[] = [];
beforeEach(async () => {
  world = await ChaosWorld.start(2, 2);
});
afterEach(async () => {
  for (const talker of talkers.splice(0)) talker[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
});

const order = (path: string): Promise<Response> =>
  fetch(`${world.urls[0]}/api/v1${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${ADMIN_TOKEN}` },
    body: "{}",
  });
const hosts = async (url: string): Promise<{ hostId: string; rooms: number; state: string }[]> =>
  (await (await fetch(`${url}/api/v1/hosts`)).json()) as never;

it("brokers and hosts are replaced while players talk: no session ends, nothing is lost, doubled or out of order", async () => {
  for (const type of ["ledger", "vault"]) {
    const first = await Talker.join(world.urls, `${type}-0`, { type });
    talkers.push(first, await Talker.join(world.urls, `${type}-1`, first));
  }
  await expect.poll(() => talkers.every(({ heard }) => heard.count > 20)).toBe(true);

  // Brokers: the old one is told to stop, the new one starts in its place.
  for (const [at, broker] of world.brokers.entries()) {
    const gone = once(broker.child, "exit");
    broker.child.kill("SIGTERM");
    await gone;
    await world.startBroker(at);
    await expect
      .poll(async () => (await hosts(broker.url)).filter(({ state }) => state === "active").length, {
        timeout: 20_000,
      })
      .toBe(2);
  }

  // Hosts: new ones in, old ones drained, and stopped when they are empty.
  const old = [...world.agents.keys()];
  for (const hostId of old) await world.startAgent(`new-${hostId}`);
  for (const hostId of old) {
    expect((await order(`/hosts/${hostId}/drain`)).status).toBe(200);
    await expect
      .poll(
        async () =>
          (await Promise.all(world.urls.map(hosts))).every((all) =>
            all.some((host) => host.hostId === hostId && host.rooms === 0),
          ),
        { timeout: 30_000 },
      )
      .toBe(true);
    await world.agents.get(hostId)?.[Symbol.asyncDispose]();
    world.agents.delete(hostId);
  }

  const before = talkers.map(({ heard }) => heard.count);
  await expect.poll(() => talkers.every(({ heard }, at) => heard.count > before[at]! + 20)).toBe(true);
  for (const talker of talkers) talker.quiet();
  await expect
    .poll(() => talkers.map(({ heard }) => heard), { timeout: 20_000 })
    .toEqual(talkers.map(({ said }) => ({ count: said, disorder: 0 })));
  expect(talkers.map(({ ended }) => ended)).toEqual(talkers.map(() => undefined));
  // Every move was one: nobody was brought back from a checkpoint or a standby.
  expect(talkers.map(({ restored }) => restored)).toEqual(talkers.map(() => 0));
  for (const { moves } of talkers) expect(moves).toBeGreaterThan(0);
  await Promise.all(talkers.map((talker) => talker.leave()));
}, 120_000);
