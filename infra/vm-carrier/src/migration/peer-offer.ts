/**
 * What a destination says of itself as it makes a place for a room's machine, and whether the machine fits there:
 * libvirt would find out after seconds, in QEMU's words, or not at all.
 */
import { z } from "zod";
import type { VmConfig } from "../base/config.js";
import { kernelsBeside } from "../image/rooms-image.js";

const offerSchema = z.object({
  guestDirectory: z.string(),
  bridge: z.string(),
  network: z.string(),
  accelerator: z.enum(["kvm", "tcg"]),
  /** Paths of the kernels it has, each with its initramfs beside it. */
  kernels: z.array(z.string()),
});
export type PeerOffer = z.output<typeof offerSchema>;

/** As the ticket of a machine's move. */
export async function offerOf(vm: VmConfig): Promise<string> {
  const { guestDirectory, bridge, network, accelerator, imageDirectory } = vm;
  const kernels = await kernelsBeside(imageDirectory);
  return JSON.stringify({ guestDirectory, bridge, network, accelerator, kernels } satisfies PeerOffer);
}

/** Undefined for a ticket that is none of ours. */
export function readOffer(ticket: string): PeerOffer | undefined {
  try {
    return offerSchema.parse(JSON.parse(ticket));
  } catch {
    return undefined;
  }
}

/** What must be made equal before this machine can move there, in one line; undefined if it can. */
export function misfit(
  vm: Pick<VmConfig, "guestDirectory" | "bridge" | "network" | "accelerator">,
  domainXml: string,
  hostId: string,
  offer: PeerOffer | undefined,
): string | undefined {
  if (offer === undefined) return `${hostId} does not say how it runs machines: is it of another version?`;
  for (const key of ["guestDirectory", "bridge", "network"] as const)
    if (vm[key] !== offer[key])
      return `${key} is ${vm[key]} here and ${offer[key]} on ${hostId}: it must be the same in vm.json of all hosts`;
  if (vm.accelerator === "kvm" && offer.accelerator === "tcg")
    return `it runs under KVM, which ${hostId} has not: set "accelerator": "tcg" in vm.json of all hosts`;
  const kernel = /<kernel>(.+?)<\/kernel>/.exec(domainXml)?.[1];
  if (kernel !== undefined && !offer.kernels.includes(kernel))
    return `${hostId} has no guest image ${kernel}: copy its folder there from this host`;
  return undefined;
}
