/** What a broker measures of itself: only for somebody who reads it. */
import perfHooks from "node:perf_hooks";
import { expect, it, vi } from "vitest";
import { Metrics } from "../../server/broker/dist/api/metrics.js";
import { Emitter } from "../../server/broker/dist/events/emitter.js";
import { HostRegistry } from "../../server/broker/dist/hosts/host-registry.js";
import { RoomRegistry } from "../../server/broker/dist/rooms/room-registry.js";

it("the lag of its event loop is sampled from when metrics are first read, which have it then", async () => {
  const sampled = vi.spyOn(perfHooks, "monitorEventLoopDelay");
  const metrics = new Metrics(new Emitter());
  const hosts = new HostRegistry();
  metrics.watch(hosts, new RoomRegistry(hosts, new Emitter()), { evaluations: 0, pending: 0 });
  expect(sampled).not.toHaveBeenCalled();
  const lag = /^centroid_broker_nodejs_eventloop_lag_p99_seconds (.+)$/m.exec(await metrics.read())?.[1];
  // An empty sample's least value is 2^63 - 1 ns.
  expect(Number(lag)).toBeGreaterThan(0);
  expect(Number(lag)).toBeLessThan(1_000_000);
  await metrics.read();
  expect(sampled).toHaveBeenCalledTimes(1);
  sampled.mockRestore();
});
