/** The libvirt domain of a room: small, diskless, the same on every host so that it can move. */

/** How guests are run here. `kvm` only after a guest has really run under it. */
export type Accelerator = "kvm" | "tcg";

export interface GuestDomain {
  readonly name: string;
  readonly uuid: string;
  readonly mac: string;
  readonly memoryMebibytes: number;
  readonly accelerator: Accelerator;
  /** Of the QEMU that starts it. */
  readonly hypervisorVersion: string;
  readonly kernelPath: string;
  readonly initramfsPath: string;
  /** In the host's network namespace. */
  readonly bridge: string;
  /** Where this host puts the guest's console log and control socket. */
  readonly directory: string;
  readonly emulator?: string;
}

/** A fixed model that every x86-64 host of the last 15 years and TCG provide: `host` would tie the guest down. */
const cpuModel = "Nehalem";
/** A room is one thread. */
const vcpus = 1;
const kernelArguments = [
  "console=ttyS0 quiet ipv6.disable=1 panic=-1",
  // Freed memory is zeroed, which migration then does not have to carry.
  "init_on_free=1",
  // A tmpfs ends at half of the memory, which Node and the rooms do not fit into.
  "rootfstype=ramfs",
  // A TSC that jumped with the machine would be given up for a clock that is slow to read.
  "tsc=reliable nowatchdog",
  // What runs on every tick and call, for nobody: an emulated guest translates all of it anew where it arrives, while
  // players wait. All code of the guest is the room's own, so there is nobody in it to be kept from speculating.
  "psi=0 audit=0 apparmor=0 mitigations=off",
].join(" ");

/**
 * QEMU before 9.0 collects written pages of an emulated guest by whole words of its bitmap without telling the
 * emulated TLB, which then writes past the bitmap: guests arrive with stale pages and panic. Memory that is no
 * multiple of 64 pages, one such word, is looked at page by page, which does tell it. libvirt only knows whole
 * mebibytes.
 */
const oddBytes = 8192;
const firstWithoutStalePages = 9;

function losesWrites({ accelerator, hypervisorVersion }: GuestDomain): boolean {
  return accelerator === "tcg" && Number(hypervisorVersion.split(".")[0]) < firstWithoutStalePages;
}

/** libvirt asks QEMU for each of some 400 features of the CPU, one by one, before a guest may start or arrive. */
const withoutFeatureQuestions =
  '<qemu:capabilities><qemu:del capability="cpu-unavailable-features"/></qemu:capabilities>';

const cardAlias = "ua-card";

/**
 * Where it arrives a guest's kernel would announce itself, by code that an emulator has to translate first, before Node
 * may send. QEMU has told the switches by then.
 */
const withoutAnnouncement = `<qemu:override>
    <qemu:device alias="${cardAlias}">
      <qemu:frontend><qemu:property name="guest_announce" type="bool" value="false"/></qemu:frontend>
    </qemu:device>
  </qemu:override>`;

function oddMemory(memoryMebibytes: number): string {
  const bytes = memoryMebibytes * 2 ** 20 + oddBytes;
  const values = [
    "-object",
    `memory-backend-ram,id=odd,size=${bytes}`,
    "-machine",
    "memory-backend=odd",
    "-m",
    `${bytes / 1024}k`,
  ];
  return `<qemu:commandline>${values.map((value) => `<qemu:arg value="${value}"/>`).join("")}</qemu:commandline>`;
}

export const controlSocketName = (name: string) => `${name}.sock`;

function xmlText(text: string): string {
  return text.replace(/[<>&"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/**
 * Domain XML of a guest. Its card sits on the root bus: each bridge is one more device to send and to set up while the
 * guest stands still. The first serial port is its console log, the second the agent's control channel.
 */
export function guestDomainXml(guest: GuestDomain): string {
  const kvm = guest.accelerator === "kvm";
  const base = `${guest.directory}/${guest.name}`;
  return `<domain type="${kvm ? "kvm" : "qemu"}" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
  <name>${xmlText(guest.name)}</name>
  <uuid>${guest.uuid}</uuid>
  <memory unit="MiB">${guest.memoryMebibytes}</memory>
  <vcpu>${vcpus}</vcpu>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <kernel>${xmlText(guest.kernelPath)}</kernel>
    <initrd>${xmlText(guest.initramfsPath)}</initrd>
    <cmdline>${xmlText(kernelArguments)}</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode="custom" match="exact" check="none"><model fallback="forbid">${cpuModel}</model></cpu>
  <clock offset="utc"/>
  <on_poweroff>destroy</on_poweroff>
  <on_reboot>destroy</on_reboot>
  <on_crash>destroy</on_crash>
  <devices>
    <emulator>${xmlText(guest.emulator ?? "/usr/bin/qemu-system-x86_64")}</emulator>
    <interface type="bridge">
      <source bridge="${xmlText(guest.bridge)}"/>
      <mac address="${guest.mac}"/>
      <model type="virtio"/>
      <rom enabled="no"/>
      <alias name="${cardAlias}"/>
      <address type="pci" domain="0" bus="0" slot="2" function="0"/>
    </interface>
    <serial type="file"><source path="${xmlText(base)}.log"/><target type="isa-serial" port="0"/></serial>
    <serial type="unix">
      <source mode="bind" path="${xmlText(`${guest.directory}/${controlSocketName(guest.name)}`)}"/>
      <target type="isa-serial" port="1"/>
    </serial>
    <controller type="usb" model="none"/>
    <memballoon model="none"/>
  </devices>
  ${losesWrites(guest) ? oddMemory(guest.memoryMebibytes) : ""}
  ${withoutFeatureQuestions}
  ${withoutAnnouncement}
</domain>`;
}
