/** The machines of this host's rooms, as the agent's sandbox carrier starts, finds and ends them. */
import {
  GuestAddresses,
  guestMac,
  type LeftSandbox,
  networkOf,
  type RoomHostLine,
  roomIdOf,
  type Sandboxes,
  sandboxNameOf,
} from "@centroid/agent";
import type { Domain } from "@centroid/node-libvirt";
import type { VmConfig } from "../base/config.js";
import type { LocalLibvirt, VmEnd } from "../host/local-libvirt.js";

export class VmSandboxes implements Sandboxes {
  readonly kind = "vm";
  readonly noun = "VM";
  readonly memoryBytes: number;
  readonly #vm: VmConfig;
  readonly #libvirt: LocalLibvirt;
  readonly #addresses: GuestAddresses;

  constructor(vm: VmConfig, libvirt: LocalLibvirt) {
    this.#vm = vm;
    this.#libvirt = libvirt;
    this.#addresses = new GuestAddresses({ directory: vm.localGuestDirectory, range: vm.addresses });
    this.memoryBytes = vm.memoryMebibytes * 2 ** 20;
  }

  async warmUp(): Promise<void> {
    const { guests } = await this.#libvirt.open();
    await guests.prepareTemplate();
  }

  async start(roomId: string): Promise<string> {
    const { guests } = await this.#libvirt.open();
    // Made by now, unless this host is the first to have none; then this room waits for it.
    await guests.prepareTemplate().catch(() => undefined);
    const ip = await this.#addresses.next();
    const { network, gateway } = this.#vm;
    const { port } = await guests.start(sandboxNameOf(roomId), {
      ip,
      mac: guestMac(ip),
      prefixBits: networkOf(network).prefixBits,
      ...(gateway !== undefined && { gateway }),
    });
    return `${ip}:${port}`;
  }

  async openLine(roomId: string): Promise<RoomHostLine> {
    const { guests } = await this.#libvirt.open();
    return guests.openChannel(sandboxNameOf(roomId));
  }

  howEnded(roomId: string, timeoutMs: number): Promise<VmEnd | undefined> {
    return this.#libvirt.howEnded(sandboxNameOf(roomId), timeoutMs);
  }

  async destroy(roomId: string): Promise<void> {
    const { connection } = await this.#libvirt.open();
    await (await connection.lookupByName(sandboxNameOf(roomId))).destroy();
  }

  async left(): Promise<LeftSandbox[]> {
    const { connection } = await this.#libvirt.open();
    const domains = await connection.listDomains("active");
    return domains.flatMap((domain) => {
      const roomId = roomIdOf(domain.name);
      return roomId === undefined ? [] : [leftMachine(roomId, domain)];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#libvirt[Symbol.asyncDispose]();
  }
}

function leftMachine(roomId: string, domain: Domain): LeftSandbox {
  return {
    roomId,
    isLeaving: () => isLeaving(domain),
    isActive: () =>
      domain.getState().then(
        ({ state }) => state !== "shutoff",
        () => false,
      ),
    async settle() {
      // A move that nobody watches may never end. In post-copy it cannot be taken back, and ends by itself.
      if (await isLeaving(domain)) await domain.abortJob().catch(() => undefined);
      const leaving = await isLeaving(domain);
      const { state } = await domain.getState();
      return leaving || state === "running" || state === "blocked";
    },
  };
}

/** libvirt continues a move whose agent has ended. */
async function isLeaving(domain: Domain): Promise<boolean> {
  const job = await domain.getJobStats().catch(() => undefined);
  return job?.operation === "migration-out" && job.type !== "none";
}
