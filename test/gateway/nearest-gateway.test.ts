/** A player measures the ways by all gateways, and goes over to one that is clearly nearer without losing anything. */
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server } from "node:net";
import { expect, it } from "vitest";
import { clearlyNearer } from "../../client/sdk/dist/nearest-gateway.js";
import { until } from "../broker/support/world.js";
import { SdkPlayer } from "./sdk-player.js";
import { GatewayWorld, PATIENCE_MS } from "./support.js";

const DELAY_MS = 60;

/** What goes through it is so late, in either direction. */
async function slowWayTo(port: () => number): Promise<Server> {
  const server = createServer((here) => {
    const there = connect(port(), "127.0.0.1");
    for (const [from, to] of [
      [here, there],
      [there, here],
    ] as const) {
      from.on("data", (chunk) => void setTimeout(() => to.writable && to.write(chunk), DELAY_MS));
      from.on("close", () => to.destroy()).on("error", () => to.destroy());
    }
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  return server;
}

it("goes over to a gateway that is nearer: nothing lost, doubled or out of order, and nobody dropped", async () => {
  await using world = await GatewayWorld.start();
  let port = 0;
  const slow = await slowWayTo(() => port);
  try {
    const far = `http://127.0.0.1:${(slow.address() as AddressInfo).port}`;
    port = (await world.gateway(0, far)).port;
    await world.gateway(0, true);
    const player = await SdkPlayer.join(far, { probing: { intervalMs: 200 } });
    const rttMs = async (): Promise<number> => {
      const askedMs = performance.now();
      await player.room.request("echo", 1);
      return performance.now() - askedMs;
    };
    expect(await rttMs()).toBeGreaterThan(2 * DELAY_MS - 5);
    player.talk();
    await until(async () => (await rttMs()) < 2 * DELAY_MS - 10, PATIENCE_MS);
    await player.more(10);
    await player.hush();
    expect(player.entry).toMatchObject({ count: player.sent, disorder: 0, connected: true });
    expect(player.wrong).toEqual([]);
    await player.room.leave();
  } finally {
    slow.close();
  }
}, 90_000);

it("stays where the difference is not worth a change", () => {
  const way = (hostId: string, ...rttsMs: number[]) => ({ hostId, rttsMs });
  expect(clearlyNearer([way("a", 100, 101, 99), way("b", 70, 71, 300), way("c", 60, 62, 61)])).toBe("c");
  expect(clearlyNearer([way("a", 100), way("b", 85)])).toBeUndefined();
  expect(clearlyNearer([way("a", 12), way("b", 3)])).toBeUndefined();
  // Who does not answer is not near, and one that carries the session is not judged by silence.
  expect(clearlyNearer([way("a", 100), way("b")])).toBeUndefined();
  expect(clearlyNearer([way("a"), way("b", 5)])).toBeUndefined();
});
