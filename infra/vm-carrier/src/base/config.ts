/** What an agent must know to run rooms in virtual machines. */
import { isAbsolute } from "node:path";
import { type AddressRange, ipv4Number, isWithin, networkOf } from "@centroid/agent";
import { z } from "zod";

/** More and two guests could have one MAC; less and there is no guest. */
const PREFIX_BITS = { least: 8, most: 30 } as const;

const address = z.ipv4("must be an IPv4 address");
const folder = z.string().refine(isAbsolute, "must be an absolute path");

/** What a host says of itself, wherever it is. */
const placeShape = {
  /** This host's libvirt, as the agent reaches it. */
  libvirtUri: z.string().regex(/^qemu(\+\w+)?:\/\//, "must look like qemu:///system"),
  /** `address:port` of the same, as other hosts' libvirt and agents reach it. */
  peerAddress: z.string().regex(/^[\w.-]+:\d{1,5}$/, "must look like 10.80.0.11:16509"),
  /** Of templates, logs and sockets, as libvirt names it: the same on every host. */
  guestDirectory: folder,
  bridge: z.string().regex(/^[\w.-]{1,15}$/, "must be the name of a network bridge"),
  memoryMebibytes: z.number().int().min(128).default(256),
  /** Guests' network, `address/bits`: the same on every host. */
  network: z.cidrv4("must look like 10.80.0.0/16"),
  /** Where guests send what is for others than their network; without one they reach nobody else. */
  gateway: address.optional(),
  /** Guests of this host take these addresses in turn; no other host, and nothing else, has any of them. */
  addresses: z.strictObject({ from: address, to: address }),
};

interface Addresses {
  readonly network: string;
  readonly addresses: AddressRange;
  readonly gateway?: string | undefined;
  readonly peerAddress: string;
}

function checkAddresses(place: Addresses, context: z.core.$RefinementCtx<Addresses>): void {
  const wrong = (key: keyof Addresses, message: string): void => {
    context.addIssue({ code: "custom", path: [key], message });
  };
  const { network, addresses, gateway, peerAddress } = place;
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
    wrong("gateway", `${gateway} is not in ${network}, so guests cannot reach it`);
  const taken = { gateway, peerAddress: peerAddress.split(":")[0] };
  for (const [key, used] of Object.entries(taken))
    if (used !== undefined && address.safeParse(used).success && isWithin(used, addresses))
      wrong("addresses", `${used} is in use (${key}): leave it out, or a guest gets it too`);
}

export const vmConfigSchema = z
  .strictObject({
    ...placeShape,
    /** `guestDirectory` as the agent sees it. */
    localGuestDirectory: folder,
    imageDirectory: folder,
    accelerator: z.enum(["kvm", "tcg"]),
  })
  .superRefine(checkAddresses);
export type VmConfig = z.output<typeof vmConfigSchema>;

/** `vm.json` of a host of one's own: what nobody else can know. */
export const vmSettingsSchema = z
  .strictObject({
    ...placeShape,
    guestDirectory: folder.default("/var/lib/libvirt/centroid"),
    /** Folder of an image made on another host; made here if not given. */
    image: folder.optional(),
    /** Found out if not given; `tcg` where only some hosts have KVM. */
    accelerator: z.enum(["kvm", "tcg"]).optional(),
  })
  .superRefine(checkAddresses);
export type VmSettings = z.output<typeof vmSettingsSchema>;
