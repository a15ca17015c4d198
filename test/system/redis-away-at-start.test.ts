/** A broker whose Redis is not there yet: it waits, says so to whoever asks, and begins once Redis answers. */
import { expect, it } from "vitest";
import { BrokerLink } from "../../infra/agent/dist/broker-link.js";
import { freePort } from "../support/free-port.js";
import { TestRedis } from "../support/redis.js";
import { Cli } from "../support/run-cli.js";

const TOKEN = "agent-token-of-this-test";
const patiently = { timeout: 60_000, interval: 50 };

it("waits for it, tells probes and agents, and begins when it is there", async () => {
  const [port, redisPort] = [await freePort(), await freePort()];
  await using cli = await Cli.create();
  const args = ["up", "--hosts", "0", "--port", `${port}`, "--redis", `redis://127.0.0.1:${redisPort}`];
  const up = cli.start(args, { CENTROID_AGENT_TOKEN: TOKEN });
  const probe = async (path: string): Promise<{ status: number; reason?: string }> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { status: response.status, ...((await response.json()) as object) };
  };
  const notReady = async (): Promise<string | undefined> =>
    (await probe("/readyz").catch(() => undefined))?.reason;
  await expect.poll(notReady, patiently).toMatch(/no Redis answers at .*start one or correct --redis/);
  expect(up.err).toMatch(/no Redis answers at .*waiting for it/);
  expect(await probe("/healthz")).toMatchObject({ status: 200, ok: true });
  expect(await probe("/matchmake/joinOrCreate/duel")).toMatchObject({
    status: 503,
    error: { code: "STORE_UNAVAILABLE" },
  });

  // What an agent hears there is as good as that nobody listens: rooms that run go on (OWN-9).
  await using link = linkTo(port);
  link.connect();
  await expect.poll(() => link.absenceLeftMs(performance.now()), patiently).toBeGreaterThan(0);
  expect(link.state).toEqual({ state: "away" });

  await using _ = await TestRedis.start([], redisPort);
  await expect.poll(() => link.state, patiently).toEqual({ state: "connected" });
  expect(await probe("/readyz")).toMatchObject({ status: 200, ready: true });
}, 180_000);

function linkTo(port: number): BrokerLink {
  return new BrokerLink({
    url: `ws://127.0.0.1:${port}`,
    token: TOKEN,
    hostId: "here",
    hello: async () => ({
      type: "hello",
      hostId: "here",
      name: "Here",
      latitude: 0,
      longitude: 0,
      region: "default",
      capacityRooms: 1,
      carriers: ["process"],
      beaconUrl: "ws://127.0.0.1:1/beacon",
      roomTypes: ["duel"],
      roomWork: {},
      rooms: [],
    }),
    heartbeat: () => ({ type: "heartbeat", load: 0, rssBytes: 1 }),
    handle: () => Promise.reject(new Error("nothing is asked here")),
    onCheckpointed: () => undefined,
    onUnsaved: () => undefined,
    onPublished: () => undefined,
    onMeasure: () => undefined,
    onTracks: () => undefined,
    onDecides: () => undefined,
    onEvacuating: () => undefined,
    onTerms: () => undefined,
    notice: () => undefined,
    onState: () => undefined,
  });
}
