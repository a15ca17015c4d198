/** The image of the guest that a deployment's rooms run in, and where a host keeps it for its libvirt. */
import { existsSync } from "node:fs";
import { constants, copyFile, mkdir, readdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { CentroidError } from "@centroid/protocol";
import type { RoomsBundle } from "@centroid/room-host/bundling";
import { bundleGuest } from "@centroid/room-host/bundling";
import { buildGuestImage, type GuestImage, imageFiles, readGuestImage } from "./image.js";

/** As much of an image's hash as tells it from others. */
const HASH_DIGITS = 16;

export const roomsImageDirectory = (stateDir: string): string => join(stateDir, "vm-image");

/**
 * Builds the image into the state folder, or takes the one that is there for these rooms.
 * @throws CentroidError CARRIER_UNAVAILABLE with what is missing for it
 */
export async function buildRoomsImage(
  rooms: RoomsBundle,
  stateDir: string,
  onStep: (line: string) => void,
): Promise<GuestImage> {
  const directory = roomsImageDirectory(stateDir);
  await mkdir(directory, { recursive: true });
  const program = await bundleGuest(rooms, stateDir);
  return buildGuestImage({ directory, program, onStep }).catch((cause: unknown) => {
    const why = CentroidError.from(cause).message;
    throw new CentroidError("CARRIER_UNAVAILABLE", `the guest image cannot be built: ${why}`, { cause });
  });
}

/**
 * Copies an image to where libvirt finds it under the same path on every host that has the same image: a guest
 * that moves is given its kernel by the path it had at the source. Others stay, for rooms that began with them.
 */
export async function installGuestImage(image: GuestImage, guestDirectory: string): Promise<string> {
  const directory = join(guestDirectory, `image-${image.hash.slice(0, HASH_DIGITS)}`);
  if ((await readGuestImage(directory))?.hash === image.hash) return directory;
  await mkdir(directory, { recursive: true });
  const from = dirname(image.kernelPath);
  // The manifest last: an image without it does not count.
  for (const file of [imageFiles.kernel, imageFiles.initramfs, imageFiles.manifest])
    await copyFile(join(from, file), join(directory, file), constants.COPYFILE_FICLONE);
  return directory;
}

/** Kernels of the image in this directory and of those beside it. */
export async function kernelsBeside(imageDirectory: string): Promise<string[]> {
  const parent = dirname(imageDirectory);
  const complete = (await readdir(parent)).filter((name) =>
    existsSync(join(parent, name, imageFiles.manifest)),
  );
  return complete.map((name) => join(parent, name, imageFiles.kernel));
}
