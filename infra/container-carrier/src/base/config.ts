/** What an agent must know to run rooms in containers. */
import { isAbsolute } from "node:path";
import { checkAddresses } from "@centroid/agent";
import { z } from "zod";

const address = z.ipv4("must be an IPv4 address");
const folder = z.string().refine(isAbsolute, "must be an absolute path");

const placeShape = {
  /** Of rooms' folders and records; not shared with another agent. */
  directory: folder,
  bridge: z.string().regex(/^[\w.-]{1,15}$/, "must be the name of a network bridge"),
  /** Containers' network, `address/bits`: the same on every host. */
  network: z.cidrv4("must look like 10.80.0.0/16"),
  /** Where containers send what is for others than their network; without one they reach nobody else. */
  gateway: address.optional(),
  /** Containers of this host take these addresses in turn; no other host, and nothing else, has any of them. */
  addresses: z.strictObject({ from: address, to: address }),
  /** Where this agent waits for rooms from other hosts, as they reach it. */
  peerAddress: address,
  /** 0 is any. */
  peerPort: z.number().int().min(0).max(65_535).default(0),
  /** Rooms on their way are here, with everything they know: on a tmpfs, readable by nobody else. */
  images: folder.default("/dev/shm/centroid-images"),
  /** A room that takes more is ended by the kernel, alone. */
  memoryMebibytes: z.number().int().min(128).default(512),
  /** Share of one CPU that a room may use. */
  cpus: z.number().positive().default(1),
};

export const containerConfigSchema = z
  .strictObject({ ...placeShape, /** Containers' root, as `buildRoomRoot` makes it. */ root: folder })
  .superRefine(checkAddresses("container"));
export type ContainerConfig = z.output<typeof containerConfigSchema>;

/** `container.json` of a host of one's own: what nobody else can know. */
export const containerSettingsSchema = z
  .strictObject({ ...placeShape, directory: folder.default("/var/lib/centroid/containers") })
  .superRefine(checkAddresses("container"));
export type ContainerSettings = z.output<typeof containerSettingsSchema>;
