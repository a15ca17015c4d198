/** One libvirtd per edge host, each alone in the network, mount and UTS namespace of its host. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync, existsSync, openSync } from "node:fs";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "@centroid/agent";
import { Connection } from "@centroid/node-libvirt";
import { nativeProgram } from "./native.js";

/** What guests keep at their host, as every libvirtd of the lab names it: the same path on all, as migration needs. */
const guestDirectory = "/var/lib/libvirt/centroid";

export interface Hypervisor {
  readonly guestDirectory: string;
  /** The same directory as seen from outside the namespaces. */
  readonly localGuestDirectory: string;
  /** For a libvirt client outside the namespaces. */
  readonly uri: string;
  /** For another libvirtd of the lab: where migrations go. */
  readonly peerUri: string;
}

const tcpPort = 16509;
/** libvirtd of one lab host needs a few per guest. */
const descriptorLimit = 4096;

/**
 * A dead peer must fail a migration while players still wait, not after the default 30 s; a live one on a machine that
 * is busy with emulation may be silent for some seconds.
 */
const deadPeer = { keepalive_interval: 1, keepalive_count: 6 } as const;

function paths(directory: string) {
  return {
    run: join(directory, "run"),
    lib: join(directory, "lib"),
    cache: join(directory, "cache"),
    log: join(directory, "log"),
    etc: join(directory, "etc"),
    pidFile: join(directory, "libvirtd.pid"),
    output: join(directory, "libvirtd.out"),
  };
}

export function hypervisorOf(directory: string, address: string): Hypervisor {
  const socket = encodeURIComponent(join(paths(directory).run, "libvirt-sock"));
  return {
    guestDirectory,
    localGuestDirectory: join(paths(directory).lib, "centroid"),
    uri: `qemu+unix:///system?socket=${socket}`,
    peerUri: `qemu+tcp://${address}:${tcpPort}/system`,
  };
}

/** Settings as `key = value` lines; strings quoted, lists in brackets, as libvirt's files want them. */
function settings(values: Readonly<Record<string, string | number | readonly string[]>>): string {
  return Object.entries(values)
    .map(([key, value]) => `${key} = ${JSON.stringify(value)}\n`)
    .join("");
}

/** What moves need of libvirtd and of QEMU's driver: what docs/vm.md has for hosts of one's own. */
export function hypervisorSettings(address: string): { readonly libvirtd: string; readonly qemu: string } {
  return {
    libvirtd: settings({
      listen_tls: 0,
      listen_tcp: 1,
      listen_addr: address,
      tcp_port: String(tcpPort),
      // The namespace is the border: nothing outside it can reach this port.
      auth_tcp: "none",
      ...deadPeer,
    }),
    qemu: settings({
      user: "root",
      group: "root",
      dynamic_ownership: 0,
      remember_owner: 0,
      security_driver: "none",
      stdio_handler: "file",
      migration_address: address,
      migration_host: address,
      ...deadPeer,
    }),
  };
}

/** libvirtd looks these up at start, whatever the settings say; only Debian's full daemon package makes them. */
async function addDaemonUser(etc: string): Promise<void> {
  const lines = {
    passwd: "libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin",
    group: "libvirt-qemu:x:64055:",
  };
  for (const [file, line] of Object.entries(lines)) {
    const text = await readFile(`/etc/${file}`, "utf8");
    await writeFile(join(etc, file), text.includes("libvirt-qemu:") ? text : `${text.trimEnd()}\n${line}\n`);
  }
}

async function accepts(uri: string): Promise<boolean> {
  try {
    await using connection = await Connection.open(uri);
    await connection.getVersion();
    return true;
  } catch {
    return false;
  }
}

/** Starts libvirtd and waits until it accepts connections. It outlives this process. */
export async function startHypervisor(options: {
  readonly directory: string;
  readonly namespace: string;
  readonly hostname: string;
  readonly address: string;
  /** Lines of /etc/hosts: libvirt resolves host names, its own first. */
  readonly hosts: string;
  /** Where compiled helpers are kept. */
  readonly programDirectory: string;
}): Promise<Hypervisor> {
  const { directory, namespace, hostname, address } = options;
  const at = paths(directory);
  for (const path of [at.run, at.lib, at.cache, at.log, join(at.etc, "qemu")])
    await mkdir(path, { recursive: true });
  const uuidPath = join(directory, "host-uuid");
  if (!existsSync(uuidPath)) await writeFile(uuidPath, randomUUID());
  const shared = hypervisorSettings(address);
  const libvirtd = settings({
    auth_unix_rw: "none",
    auth_unix_ro: "none",
    // libvirt refuses to migrate between two daemons of one host UUID.
    host_uuid: await readFile(uuidPath, "utf8"),
    log_outputs: `2:file:${join(at.log, "libvirtd.log")}`,
  });
  await writeFile(join(at.etc, "libvirtd.conf"), shared.libvirtd + libvirtd);
  // The machine's own are not the lab's to use.
  const qemu = settings({ cgroup_controllers: [], namespaces: [] });
  await writeFile(join(at.etc, "qemu.conf"), shared.qemu + qemu);
  await addDaemonUser(at.etc);
  await writeFile(join(at.etc, "hosts"), options.hosts);
  await rm(join(at.run, "libvirt-sock"), { force: true });
  const script = [
    "set -e",
    // libvirt closes every possible descriptor in each child it forks: a large limit costs seconds per guest.
    `ulimit -n ${descriptorLimit}`,
    `hostname ${hostname}`,
    "mkdir -p /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /etc/libvirt",
    `mount --bind ${at.run} /run/libvirt`,
    `mount --bind ${at.lib} /var/lib/libvirt`,
    `mount --bind ${at.cache} /var/cache/libvirt`,
    `mount --bind ${at.log} /var/log/libvirt`,
    `mount --bind ${at.etc}/passwd /etc/passwd`,
    `mount --bind ${at.etc}/group /etc/group`,
    `mount --bind ${at.etc}/hosts /etc/hosts`,
    `mount --bind ${at.etc} /etc/libvirt`,
    `exec libvirtd --listen --config /etc/libvirt/libvirtd.conf --pid-file ${at.pidFile}`,
  ].join("\n");
  const output = openSync(at.output, "a");
  const reaper = await nativeProgram("reaper", options.programDirectory);
  const child = spawn("ip", ["netns", "exec", namespace, reaper, "unshare", "--uts", "sh", "-c", script], {
    detached: true,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  child.unref();
  const hypervisor = hypervisorOf(directory, address);
  await waitFor(`libvirtd of ${hostname} (see ${at.output})`, () => {
    if (child.exitCode !== null)
      throw new Error(`libvirtd of ${hostname} ended; see ${at.output} and ${at.log}`);
    return existsSync(join(at.run, "libvirt-sock")) && accepts(hypervisor.uri);
  });
  return hypervisor;
}

/** The process id libvirtd wrote down, if it is still libvirtd. */
export async function hypervisorPid(directory: string): Promise<number | undefined> {
  try {
    const pid = Number(await readFile(paths(directory).pidFile, "utf8"));
    const command = await readFile(`/proc/${pid}/comm`, "utf8");
    return command.trim() === "libvirtd" ? pid : undefined;
  } catch {
    return undefined;
  }
}
