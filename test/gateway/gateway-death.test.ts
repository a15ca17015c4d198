/** A gateway's process is killed, or drained: each player comes back in the way of its client, and how exactly. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { until } from "../broker/support/world.js";
import { SdkPlayer } from "./sdk-player.js";
import { GatewayWorld, PATIENCE_MS, StockPlayer } from "./support.js";

const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");
let world: GatewayWorld;
const children: ChildProcess[] = [];
beforeAll(async () => {
  world = await GatewayWorld.start();
}, 60_000);
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
});

/** `centroid gateway` in a process of its own. */
async function gatewayProcess(): Promise<{
  url: string;
  port: number;
  pid: number;
  kill: () => Promise<void>;
}> {
  const { url: broker, gatewayToken } = world.system.broker;
  const child = spawn(
    process.execPath,
    [MAIN, "gateway", "--broker", broker, "--gateway-id", "mortal", "--port", "0", "--json"],
    {
      env: { ...process.env, CENTROID_GATEWAY_TOKEN: gatewayToken },
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  children.push(child);
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url] = /"url": "([^"]+)"/.exec(line) ?? [];
    if (url === undefined) continue;
    const kill = async (): Promise<void> => {
      child.kill("SIGKILL");
      await once(child, "exit");
    };
    return { url, port: Number(new URL(url).port), pid: child.pid!, kill };
  }
  throw new Error("the gateway has ended");
}

it("Centroid's SDK goes over to another gateway: nothing lost, doubled or out of order, and nobody dropped", async () => {
  const mortal = await gatewayProcess();
  await world.gateway(0, true);
  const [ada, bob] = [await SdkPlayer.join(mortal.url), await SdkPlayer.join(mortal.url)];
  const migrations: unknown[] = [];
  ada.room.onMigrate((event) => void migrations.push(event));
  for (const player of [ada, bob]) player.talk();
  for (const player of [ada, bob]) await player.more(20);
  await mortal.kill();
  for (const player of [ada, bob]) await player.more(20);
  expect(migrations).toEqual([]);
  // It is followed there like anywhere.
  await world.moveAway(ada.room.roomId);
  for (const player of [ada, bob]) {
    await player.more(5);
    await player.leaveWhole();
  }
}, 90_000);

it("the same while the room moves", async () => {
  const mortal = await gatewayProcess();
  await world.gateway(0, true);
  const player = await SdkPlayer.join(mortal.url);
  player.talk();
  await player.more(10);
  const moving = new Promise((resolve) => void player.room.onMoving(resolve));
  const moved = world.moveAway(player.room.roomId);
  await moving;
  await mortal.kill();
  await moved;
  await player.more(10);
  await player.leaveWhole();
}, 90_000);

it("the same when the gateway falls silent, as one whose machine is gone", async () => {
  const mortal = await gatewayProcess();
  await world.gateway(0, true);
  const player = await SdkPlayer.join(mortal.url);
  player.talk();
  await player.more(10);
  process.kill(mortal.pid, "SIGSTOP");
  await player.more(10);
  await player.leaveWhole();
}, 90_000);

it("the same when the gateway is drained", async () => {
  const first = await world.gateway(0, true);
  await world.gateway(0, true);
  const player = await SdkPlayer.join(first.url);
  player.talk();
  await player.more(10);
  await first[Symbol.asyncDispose]();
  await player.more(10);
  await player.leaveWhole();
}, 90_000);

it("a stock client comes back by its own reconnection, to the next gateway at that address", async () => {
  const mortal = await gatewayProcess();
  const player = await StockPlayer.join(mortal.url);
  player.room.send("say", ++player.sent);
  await player.heard();
  await mortal.kill();
  await world.gateway(mortal.port);
  await until(() => player.reconnects === 1, PATIENCE_MS);
  player.room.send("say", ++player.sent);
  await player.heard();
  expect(player.entry).toMatchObject({ count: 2, disorder: 0 });
  expect(player.left).toEqual([]);
  await player.room.leave();
}, 90_000);
