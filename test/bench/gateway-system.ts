/** What is measured of a gateway: a broker here, two hosts and the gateway as processes of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import type { DisposalStack } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";

const FIXTURES = join(import.meta.dirname, "../fixtures");
const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");

export const HOSTS = ["a", "b"] as const;

export interface GatewaySystem {
  broker: Broker;
  gatewayUrl: string;
  gatewayPid: number;
}

/**
 * @param rooms folder of fixtures
 * @param core the only one that the gateway may run on; all of them if not given
 */
export async function startGatewaySystem(
  rooms: string,
  owned: DisposalStack,
  core?: number,
): Promise<GatewaySystem> {
  const folder = await mkdtemp(join(tmpdir(), "centroid-bench-"));
  owned.defer(() => rm(folder, { recursive: true, force: true }));
  const { path: roomsBundle, roomTypes } = await bundleRooms(join(FIXTURES, rooms), folder);
  const broker = owned.use(await startBroker({ port: 0, autoMove: false, limits: false }));
  for (const hostId of HOSTS)
    owned.use(
      await startAgent({
        ...{ hostId, name: hostId, latitude: 0, longitude: 0, maxFramesPerSecond: 0, maxBytesPerSecond: 0 },
        ...{
          brokerUrls: [broker.url.replace("http", "ws")],
          token: broker.agentToken,
          roomsBundle,
          roomTypes,
        },
      }),
    );
  const pinned = core === undefined ? [] : ["taskset", "--cpu-list", String(core)];
  const [file = "", ...args] = [...pinned, process.execPath, MAIN, "gateway", "--broker", broker.url];
  const child = spawn(file, [...args, "--port", "0", "--json"], {
    env: { ...process.env, CENTROID_GATEWAY_TOKEN: broker.gatewayToken },
    stdio: ["ignore", "pipe", "inherit"],
  });
  owned.defer(() => stop(child));
  for await (const line of createInterface({ input: child.stdout })) {
    const [, gatewayUrl] = /"url": "([^"]+)"/.exec(line) ?? [];
    if (gatewayUrl !== undefined) return { broker, gatewayUrl, gatewayPid: child.pid ?? 0 };
  }
  throw new Error("the gateway has ended");
}

export async function residentKib(pid: number): Promise<number> {
  const [, kib] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib);
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill("SIGTERM");
  await once(child, "exit");
}
