/** What an agent must know to run rooms in containers. */
import { isAbsolute } from "node:path";
import { ipv4Number, isWithin, networkOf } from "@centroid/agent";
import { z } from "zod";

/** More and two containers could have one MAC; less and there is no container. */
const PREFIX_BITS = { least: 8, most: 30 } as const;

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

interface Addresses {
  readonly network: string;
  readonly addresses: { readonly from: string; readonly to: string };
  readonly gateway?: string | undefined;
}

function checkAddresses(place: Addresses, context: z.core.$RefinementCtx<Addresses>): void {
  const wrong = (key: keyof Addresses, message: string): void => {
    context.addIssue({ code: "custom", path: [key], message });
  };
  const { network, addresses, gateway } = place;
  const { prefixBits, ...hosts } = networkOf(network);
  if (prefixBits < PREFIX_BITS.least || prefixBits > PREFIX_BITS.most) {
    wrong("network", `${network}: must have between ${PREFIX_BITS.least} and ${PREFIX_BITS.most} bits`);
    return;
  }
  if (!isWithin(addresses.from, hosts) || !isWithin(addresses.to, hosts))
    wrong("addresses", `${addresses.from} to ${addresses.to} must lie within ${hosts.from} to ${hosts.to}`);
  else if (ipv4Number(addresses.from) > ipv4Number(addresses.to))
    wrong("addresses", `${addresses.from} comes after ${addresses.to}`);
  if (gateway !== undefined && !isWithin(gateway, hosts))
    wrong("gateway", `${gateway} is not in ${network}, so containers cannot reach it`);
}

export const containerConfigSchema = z
  .strictObject({ ...placeShape, /** Containers' root, as `buildRoomRoot` makes it. */ root: folder })
  .superRefine(checkAddresses);
export type ContainerConfig = z.output<typeof containerConfigSchema>;

/** `container.json` of a host of one's own: what nobody else can know. */
export const containerSettingsSchema = z
  .strictObject({ ...placeShape, directory: folder.default("/var/lib/centroid/containers") })
  .superRefine(checkAddresses);
export type ContainerSettings = z.output<typeof containerSettingsSchema>;
