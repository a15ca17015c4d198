/** An upgrade as the runbook has it: every broker and every host is replaced, one after the other, and nobody notices. */
import { once } from "node:events";
import { afterEach, beforeEach, expect, it } from "vitest";
import { Talkers } from "../chaos/talkers.js";
import { ADMIN_TOKEN, ChaosWorld } from "../chaos/world.js";
import { RecordedSystem } from "../history/recorded-system.js";

let world: ChaosWorld;
let recorded: RecordedSystem;
let talkers: Talkers;
beforeEach(async () => {
  world = await ChaosWorld.start({ store: "redis", brokers: 2, hosts: 2 });
  recorded = await RecordedSystem.start();
  talkers = new Talkers(world.urls, recorded);
});
afterEach(async () => {
  talkers[Symbol.dispose]();
  await world[Symbol.asyncDispose]();
  await recorded[Symbol.asyncDispose]();
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
    const { room } = await talkers.create(type, `${type}-0`);
    await talkers.join(room.roomId, `${type}-1`);
  }
  const { players } = recorded;
  await expect.poll(() => players.every(({ heard }) => heard > 20)).toBe(true);

  // Brokers: the old one is told to stop, the new one starts in its place.
  for (const broker of world.brokers) {
    broker.handled = true;
    const gone = once(broker.child, "exit");
    broker.child.kill("SIGTERM");
    await gone;
    broker.handled = false;
    await world.startBroker(broker);
    await expect
      .poll(async () => (await hosts(broker.url)).filter(({ state }) => state === "active").length)
      .toBe(2);
  }

  // Hosts: new ones in, old ones drained, and stopped when they are empty.
  const old = [...world.hosts];
  for (const { hostId } of old) await world.addHost(`new-${hostId}`);
  for (const host of old) {
    const { hostId } = host;
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
    await world.removeHost(host);
  }

  const before = players.map(({ heard }) => heard);
  await expect.poll(() => players.every(({ heard }, at) => heard > before[at]! + 20)).toBe(true);
  for (const player of players) player.quiet();
  await expect.poll(() => recorded.complete).toBe(true);
  expect((await recorded.judge()).printed).toEqual([]);
  // Every move was one: nobody was brought back from a checkpoint or a standby.
  expect(players.map(({ restored }) => restored)).toEqual(players.map(() => 0));
  for (const { moves } of players) expect(moves).toBeGreaterThan(0);
  await Promise.all(players.map((player) => player.leave()));
}, 120_000);
