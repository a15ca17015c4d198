/** Makes a host of one's own ready for rooms in containers. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { countOf, readHostSettings } from "@centroid/agent";
import { CentroidError } from "@centroid/protocol";
import type { RoomsBundle } from "@centroid/room-host/bundling";
import { type ContainerConfig, type ContainerSettings, containerSettingsSchema } from "../base/config.js";
import { nothingLimits } from "../container/cgroups.js";
import { buildRoomRoot } from "../container/room-root.js";
import { containerTrial } from "./trial.js";

/** Of the machine's memory; the rest is for the system, the agent and rooms on their way. */
const MEMORY_SHARE = 0.5;

/** @throws CentroidError CONFIG_INVALID naming the file, the setting and what is wrong */
export const readContainerSettings = (file: string): Promise<ContainerSettings> =>
  readHostSettings(file, containerSettingsSchema, 'docs/containers.md, "Hosts of your own"');

/**
 * Checks the host and builds the root of its containers.
 * @throws CentroidError CONFIG_INVALID or CARRIER_UNAVAILABLE with what to do
 */
export async function prepareContainerHost(
  settings: ContainerSettings,
  options: { rooms: RoomsBundle; stateDir: string; notice: (line: string) => void },
): Promise<ContainerConfig> {
  const { rooms, stateDir, notice } = options;
  if (process.platform !== "linux" || process.getuid?.() !== 0)
    throw new CentroidError(
      "CARRIER_UNAVAILABLE",
      "rooms in containers need Linux and root: run it with sudo",
    );
  const { bridge, directory, peerAddress } = settings;
  if (!existsSync(join("/sys/class/net", bridge, "bridge")))
    throw wrong(
      "bridge",
      `this host has no bridge ${bridge}: ip link add ${bridge} type bridge, with a port to the other hosts`,
    );
  const own = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
  if (!own.some(({ address }) => address === peerAddress))
    throw wrong(
      "peerAddress",
      `${peerAddress} is not an address of this host: give the one by which the other hosts reach it`,
    );
  await checkWritable(directory);
  if (await nothingLimits())
    notice("rooms run here without limits of memory and CPU: this host has no control groups to make");
  // Versions say little; the kernel has a say, too.
  const immovable = await containerTrial();
  if (immovable !== undefined) notice(`rooms run here, but cannot be moved: ${immovable}`);
  return { ...settings, root: await buildRoomRoot(rooms, stateDir, join(directory, "roots")) };
}

const wrong = (key: keyof ContainerSettings, what: string, cause?: unknown): CentroidError =>
  new CentroidError("CONFIG_INVALID", `container.json: ${key}: ${what}`, { cause });

async function checkWritable(directory: string): Promise<void> {
  const probe = join(directory, `.probe-${randomUUID()}`);
  try {
    await mkdir(directory, { recursive: true });
    await writeFile(probe, "");
    await rm(probe);
  } catch (cause) {
    throw wrong("directory", `cannot be written (${CentroidError.from(cause).message})`, cause);
  }
}

/** How many rooms a machine with so much memory has room for. */
export function containerCapacity(
  { memoryMebibytes, addresses }: ContainerConfig,
  memoryBytes: number,
): number {
  const fitting = Math.floor((memoryBytes * MEMORY_SHARE) / (memoryMebibytes * 2 ** 20));
  return Math.max(1, Math.min(fitting, countOf(addresses)));
}
