/** Whether a host of one's own is as its `vm.json` says, before it takes rooms. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addonProblem, Connection } from "@centroid/node-libvirt";
import { CentroidError } from "@centroid/protocol";
import type { VmSettings } from "../base/config.js";

const wrong = (key: keyof VmSettings, what: string, cause?: unknown): CentroidError =>
  new CentroidError("CONFIG_INVALID", `vm.json: ${key}: ${what}`, { cause });

/**
 * @param notice told what makes moves worse but does not prevent them
 * @throws CentroidError CONFIG_INVALID naming the setting and what to do, CARRIER_UNAVAILABLE without the addon
 */
export async function checkVmHost(settings: VmSettings, notice: (line: string) => void): Promise<void> {
  const missing = addonProblem();
  if (missing !== undefined) throw new CentroidError("CARRIER_UNAVAILABLE", missing.message);
  checkBridge(settings);
  await checkGuestDirectory(settings);
  await checkLibvirt(settings);
  await noticeBorrowedMac(settings, notice);
  await noticeKernelSettings(settings, notice);
}

function checkBridge({ bridge }: VmSettings): void {
  const device = `/sys/class/net/${bridge}`;
  if (!existsSync(device))
    throw wrong(
      "bridge",
      `this host has no ${bridge}: ip link add ${bridge} type bridge, with a port to the other hosts`,
    );
  if (!existsSync(join(device, "bridge")))
    throw wrong("bridge", `${bridge} is a network device, but no bridge: put it into one and name that`);
}

async function checkGuestDirectory({ guestDirectory }: VmSettings): Promise<void> {
  const probe = join(guestDirectory, `.probe-${randomUUID()}`);
  try {
    await mkdir(guestDirectory, { recursive: true });
    await writeFile(probe, "");
    await rm(probe);
  } catch (cause) {
    const why = CentroidError.from(cause).message;
    throw wrong(
      "guestDirectory",
      `cannot be written (${why}): run as root, or choose another on all hosts`,
      cause,
    );
  }
}

async function hostUuid(uri: string): Promise<string | undefined> {
  await using connection = await Connection.open(uri);
  return /<uuid>(.+?)<\/uuid>/.exec(await connection.getCapabilities())?.[1];
}

async function checkLibvirt({ libvirtUri, peerAddress }: VmSettings): Promise<void> {
  const own = await hostUuid(libvirtUri).catch((cause: unknown) => {
    const why = CentroidError.from(cause).message;
    throw wrong(
      "libvirtUri",
      `libvirt does not answer at ${libvirtUri} (${why}): is libvirtd running?`,
      cause,
    );
  });
  const peer = await hostUuid(`qemu+tcp://${peerAddress}/system`).catch((cause: unknown) => {
    const why = CentroidError.from(cause).message;
    const remedy = "let libvirtd listen there (listen_tcp, listen_addr; docs/vm.md)";
    throw wrong("peerAddress", `libvirt does not answer at ${peerAddress} (${why}): ${remedy}`, cause);
  });
  if (own !== peer)
    throw wrong(
      "peerAddress",
      `at ${peerAddress} is another libvirt (${peer}) than at ${libvirtUri} (${own})`,
    );
}

/** NET_ADDR_SET of the kernel's addr_assign_type: somebody gave the device its address. */
const addressWasSet = "3";

async function noticeBorrowedMac({ bridge }: VmSettings, notice: (line: string) => void): Promise<void> {
  const path = `/sys/class/net/${bridge}/addr_assign_type`;
  const kind = (await readFile(path, "utf8").catch(() => addressWasSet)).trim();
  if (kind !== addressWasSet)
    notice(
      `${bridge} may take the MAC of a guest's tap, and then no move gets through: give the bridge a MAC of its own`,
    );
}

async function noticeKernelSettings({ bridge }: VmSettings, notice: (line: string) => void): Promise<void> {
  const wanted = [
    [`net.ipv6.conf.${bridge}.disable_ipv6`, "1", "a guest that moves may be cut off for seconds"],
    ["net.ipv4.tcp_notsent_lowat", "131072", "moves freeze rooms for longer"],
  ] as const;
  for (const [name, value, otherwise] of wanted) {
    const path = join("/proc/sys", ...name.split("."));
    const found = (await readFile(path, "utf8").catch(() => value)).trim();
    if (found !== value) notice(`${name} is ${found}: ${otherwise}; sysctl -w ${name}=${value}`);
  }
}
