/** An agent whose room process takes its time to load: brokers need not wait for that to hear from the host. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundleRooms } from "@centroid/room-host/bundling";
import { expect, it } from "vitest";
import { Agent } from "../../infra/agent/dist/agent.js";
import { ProcessCarrier } from "../../infra/agent/dist/carrier/process-carrier.js";
import { agentConfigSchema } from "../../infra/agent/dist/config.js";
import { FakeBroker, TOKEN } from "./fake-broker.js";

it("says hello while its rooms still load, and tells of the room that was ordered before once it runs", async () => {
  const folder = await mkdtemp(join(tmpdir(), "centroid-slow-load-"));
  const gate = join(folder, "gate");
  const roomsBundle = join(folder, "gated.mjs");
  const { path } = await bundleRooms(join(import.meta.dirname, "../fixtures/rooms"), folder);
  await writeFile(
    roomsBundle,
    `import { existsSync } from "node:fs";
     while (!existsSync(${JSON.stringify(gate)})) await new Promise((resolve) => setTimeout(resolve, 5));
     export * from ${JSON.stringify(pathToFileURL(path).href)};`,
  );
  const here = { hostId: "host", bindHost: "127.0.0.1", roomsBundle };
  const nothing = (): void => undefined;
  const broker = await FakeBroker.listen();
  const agent = new Agent({
    config: agentConfigSchema.parse({
      ...{ ...here, brokerUrls: [broker.url], token: TOKEN, name: "Host", latitude: 0, longitude: 0 },
    }),
    carriers: (events) => [
      new ProcessCarrier({
        ...{ ...here, advertiseHost: "127.0.0.1", environment: {}, events },
        ...{ checkpointIntervalMs: 0, compareIntervalMs: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
      }),
    ],
    ...{ notice: nothing, onRefused: nothing, onConnected: nothing, onBroker: nothing },
  });
  try {
    const first = broker.accept();
    await agent.start();
    await first;
    await broker.said(({ type }) => type === "hello");
    broker.welcome();
    await broker.said(({ type }) => type === "heartbeat");
    const room = { roomId: "room", name: "ledger", options: {}, carrier: "process", epoch: 1 } as const;
    broker.begin({ method: "createRoom", ...room });
    // What is ordered next is handled after that one.
    await broker.order({ method: "warmUp", roomId: "room", carrier: "process" });
    // About a room that is not here there is nothing to wait for.
    const asked = broker.begin({ method: "migrationStatus", migrationId: "move", roomId: "other" });
    const status = await broker.said((said) => said.type === "reply" && said.requestId === asked);
    expect(status).toMatchObject({ result: { role: "none" } });
    const again = broker.accept();
    broker.drop();
    await again;
    expect(await broker.said(({ type }) => type === "hello")).toMatchObject({ rooms: [] });
    broker.welcome();
    await writeFile(gate, "");
    const runs = await broker.said((said) => said.type === "room" && said.change.event === "running");
    expect(runs).toMatchObject({ roomId: "room", change: { report: { name: "ledger", passive: false } } });
  } finally {
    await writeFile(gate, "");
    await agent[Symbol.asyncDispose]();
    await broker[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  }
});
