/** Finding the containers of a host by its folder alone, and ending them, also those that no agent knows any more. */
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { roomIdOf, sandboxNameOf, waitFor } from "@centroid/agent";
import { CONTAINER_FILES } from "@centroid/room-host";
import { isAlive, sendSignal } from "./processes.js";

const END_TIMEOUT_MS = 5_000;
/** What every container is called: which room's one is, its folder says. */
export const CONTAINER_NAME = "centroid-room";

/** Everything of one room on a host. */
export const folderOf = (directory: string, roomId: string): string => join(directory, sandboxNameOf(roomId));
/** What its container sees as {@link CONTAINER_FILES}. */
export const sharedOf = (folder: string): string => join(folder, "shared");
export const pidFileOf = (folder: string): string => join(folder, "pid");

/** Rooms that have, or had, a container. */
export async function roomsIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.flatMap((entry) => (entry.isDirectory() ? (roomIdOf(entry.name) ?? []) : []));
}

/** Process id of a room's container; undefined if none runs. */
export async function findContainer(directory: string, roomId: string): Promise<number | undefined> {
  const folder = folderOf(directory, roomId);
  const noted = Number(await readFile(pidFileOf(folder), "utf8").catch(() => "0"));
  if (noted > 0 && (await isOf(noted, folder))) return noted;
  // An agent that ended at the wrong moment has noted nothing.
  for (const entry of await readdir("/proc"))
    if (/^\d+$/.test(entry) && (await isOf(Number(entry), folder))) return Number(entry);
  return undefined;
}

/** By the name it was started with and by the folder it shares: process ids are given again. */
async function isOf(pid: number, folder: string): Promise<boolean> {
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (!command.startsWith(`${CONTAINER_NAME}\0init\0`) || !(await isAlive(pid))) return false;
  const [inside, outside] = await Promise.all(
    [`/proc/${pid}/root${CONTAINER_FILES.folder}`, sharedOf(folder)].map((path) =>
      stat(path).catch(() => undefined),
    ),
  );
  return inside !== undefined && inside.ino === outside?.ino && inside.dev === outside.dev;
}

export async function endContainer(directory: string, roomId: string): Promise<void> {
  const pid = await findContainer(directory, roomId);
  if (pid === undefined) return;
  sendSignal(pid, "SIGKILL");
  await waitFor(`the end of room ${roomId}'s container`, async () => !(await isAlive(pid)), END_TIMEOUT_MS);
}

/** Ends every container of a host that is no more. */
export async function endContainers(directory: string): Promise<void> {
  for (const roomId of await roomsIn(directory)) await endContainer(directory, roomId);
}
