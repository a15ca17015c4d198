/** What an agent must know to run rooms in virtual machines. */
import { isAbsolute } from "node:path";
import { checkAddresses } from "@centroid/agent";
import { z } from "zod";

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

export const vmConfigSchema = z
  .strictObject({
    ...placeShape,
    /** `guestDirectory` as the agent sees it. */
    localGuestDirectory: folder,
    imageDirectory: folder,
    accelerator: z.enum(["kvm", "tcg"]),
  })
  .superRefine(checkAddresses("guest"));
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
  .superRefine(checkAddresses("guest"));
export type VmSettings = z.output<typeof vmSettingsSchema>;
