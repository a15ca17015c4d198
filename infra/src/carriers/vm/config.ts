/** What an agent must know to run rooms in virtual machines. */
import { z } from "zod";

export const vmConfigSchema = z.strictObject({
  /** This host's libvirt, as the agent reaches it. */
  libvirtUri: z.string(),
  /** `address:port` of the same, as other hosts' libvirt reaches it. */
  peerAddress: z.string(),
  /** Of templates, logs and sockets, as libvirt names it: the same on every host. */
  guestDirectory: z.string(),
  /** The same directory as the agent sees it. */
  localGuestDirectory: z.string(),
  imageDirectory: z.string(),
  accelerator: z.enum(["kvm", "tcg"]),
  bridge: z.string(),
  memoryMebibytes: z.number().int().positive().default(256),
  prefixBits: z.number().int().min(1).max(32),
  /** Guests of this host take these addresses in turn: `[first, first + count)` of the network's. */
  addresses: z.strictObject({ first: z.number().int(), count: z.number().int().positive() }),
});
export type VmConfig = z.output<typeof vmConfigSchema>;
