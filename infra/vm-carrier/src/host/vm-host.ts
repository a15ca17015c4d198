/** Makes a host of one's own ready for rooms in virtual machines. */
import { totalmem } from "node:os";
import { countOf, readHostSettings } from "@centroid/agent";
import { Connection } from "@centroid/node-libvirt";
import { CentroidError } from "@centroid/protocol";
import type { RoomsBundle } from "@centroid/room-host/bundling";
import { type VmConfig, type VmSettings, vmSettingsSchema } from "../base/config.js";
import { detectAccelerator } from "../guest/accelerator.js";
import { GuestHost } from "../guest/guests.js";
import { type GuestImage, readGuestImage } from "../image/image.js";
import { buildRoomsImage, installGuestImage } from "../image/rooms-image.js";
import { checkVmHost } from "./host-checks.js";

/** Of the machine's memory; the rest is for the system, the agent and QEMU itself. */
const MEMORY_SHARE_FOR_GUESTS = 0.75;

/** @throws CentroidError CONFIG_INVALID naming the file, the setting and what is wrong */
export const readVmSettings = (file: string): Promise<VmSettings> =>
  readHostSettings(file, vmSettingsSchema, 'docs/vm.md, "Hosts of your own"');

/**
 * Checks the host, makes or takes the image, finds out how guests run, and makes the template that rooms start from.
 * @throws CentroidError CONFIG_INVALID or CARRIER_UNAVAILABLE with what to do
 */
export async function prepareVmHost(
  settings: VmSettings,
  options: { rooms: RoomsBundle; stateDir: string; notice: (line: string) => void },
): Promise<VmConfig> {
  const { rooms, stateDir, notice } = options;
  await checkVmHost(settings, notice);
  const { image: given, accelerator: wanted, ...place } = settings;
  const made = given === undefined ? await buildRoomsImage(rooms, stateDir, notice) : await imageIn(given);
  const imageDirectory = await installGuestImage(made, place.guestDirectory);
  const image = await imageIn(imageDirectory);
  const { accelerator, notice: slow } =
    wanted === undefined ? await detectAccelerator(image) : { accelerator: wanted, notice: undefined };
  if (slow !== undefined) notice(slow);
  const vm = { ...place, localGuestDirectory: place.guestDirectory, imageDirectory, accelerator };
  notice(`guest image ${imageDirectory}; making the template for rooms if it has none yet`);
  await using connection = await Connection.open(vm.libvirtUri);
  await GuestHost.of(connection, image, vm)
    .prepareTemplate()
    .catch((cause: unknown) => {
      const why = CentroidError.from(cause).message;
      const text = `no guest starts here: ${why}; see ${place.guestDirectory}/*.log and libvirtd's log`;
      throw new CentroidError("CARRIER_UNAVAILABLE", text, { cause });
    });
  return vm;
}

async function imageIn(directory: string): Promise<GuestImage> {
  const image = await readGuestImage(directory);
  if (image === undefined)
    throw new CentroidError("CONFIG_INVALID", `vm.json: image: no guest image in ${directory}`);
  return image;
}

/** How many rooms have room in this machine's memory and addresses. */
export function vmCapacity({ memoryMebibytes, addresses }: VmConfig): number {
  const fitting = Math.floor((totalmem() * MEMORY_SHARE_FOR_GUESTS) / (memoryMebibytes * 2 ** 20));
  return Math.max(1, Math.min(fitting, countOf(addresses)));
}
