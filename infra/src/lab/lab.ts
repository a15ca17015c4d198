/**
 * A test network on one box: a namespace per edge host, with a libvirtd of its own, and per player site,
 * joined by an emulated backbone. The only addresses used are inside the namespaces.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { addonProblem } from "@centroid/node-libvirt";
import { z } from "zod";
import { run } from "../carriers/vm/run.js";
import { waitFor } from "../carriers/vm/wait.js";
import { type Hypervisor, hypervisorOf, hypervisorPid, startHypervisor } from "./hypervisor.js";
import { type LinkTraffic, readTraffic, setLink, startSwitch } from "./switch.js";
import {
  hostAddress,
  type LabLink,
  type LinkProperties,
  labPrefixBits,
  linkPropertiesSchema,
  siteAddress,
  type Topology,
} from "./topology.js";

/** Gone after a reboot, like the namespaces themselves. */
const labsDirectory = "/run/centroid";
const programDirectory = join(labsDirectory, ".bin");
const namespacePrefix = "centroid";
/** After a polite request to end, before the kill. */
const endTimeoutMs = 3000;

const namespaceSettings = {
  // A tap's early IPv6 neighbour adverts at the destination teach switches a MAC that is still elsewhere.
  "net.ipv6.conf.all.disable_ipv6": "1",
  "net.ipv6.conf.default.disable_ipv6": "1",
  // What lies in socket buffers when the guest stops is downtime: small ones keep the destination abreast.
  "net.ipv4.tcp_rmem": "4096 131072 6291456",
  "net.ipv4.tcp_notsent_lowat": "131072",
} as const;

const placeSchema = z.object({ name: z.string(), namespace: z.string(), address: z.string() });
const linkStateSchema = linkPropertiesSchema.extend({ a: z.string(), b: z.string() });
const stateSchema = z.object({
  name: z.string(),
  hosts: z.array(placeSchema),
  sites: z.array(placeSchema),
  links: z.array(linkStateSchema),
  switch: z.object({ pid: z.number(), controlPath: z.string() }).optional(),
});
type LabState = z.infer<typeof stateSchema>;
export type LabPlace = z.infer<typeof placeSchema>;
export interface LabHost extends LabPlace, Hypervisor {}

/** A lab that cannot be brought up or is not there. */
export class LabError extends Error {
  override readonly name = "LabError";
  readonly code: "LAB_MISSING" | "LAB_EXISTS" | "LAB_UNSUPPORTED" | "LAB_UNKNOWN_PLACE";

  constructor(code: LabError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

/** Why no lab can run here, in one line, or undefined. */
export async function labProblem(): Promise<string | undefined> {
  if (process.platform !== "linux") return "network namespaces need Linux";
  if (process.getuid?.() !== 0) return "network namespaces need root: run it with sudo";
  if (!existsSync("/dev/net/tun")) return "/dev/net/tun is missing: load the kernel module tun";
  const needed = {
    ip: ["iproute2", ["-V"]],
    unshare: ["util-linux", ["--version"]],
    cc: ["gcc", ["--version"]],
    libvirtd: ["libvirt-daemon", ["--version"]],
    "qemu-system-x86_64": ["qemu-system-x86", ["--version"]],
  } as const;
  for (const [program, [debianPackage, args]] of Object.entries(needed)) {
    try {
      await run(program, args);
    } catch {
      return `${program} is missing: apt-get install ${debianPackage}`;
    }
  }
  return addonProblem()?.message;
}

export class Lab {
  readonly name: string;
  readonly directory: string;
  #state: LabState;

  private constructor(state: LabState) {
    this.name = state.name;
    this.directory = join(labsDirectory, state.name);
    this.#state = state;
  }

  get hosts(): LabHost[] {
    return this.#state.hosts.map((host) => ({
      ...host,
      ...hypervisorOf(this.#hostDirectory(host.name), host.address),
    }));
  }

  get sites(): readonly LabPlace[] {
    return this.#state.sites;
  }

  get links(): readonly LabLink[] {
    return this.#state.links;
  }

  #hostDirectory(name: string): string {
    return join(this.directory, "hosts", name);
  }

  /** @throws {LabError} LAB_UNKNOWN_PLACE */
  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new LabError("LAB_UNKNOWN_PLACE", `lab ${this.name} has no host ${name}`);
    return host;
  }

  /**
   * Brings a lab up. On failure everything is taken down again.
   * @throws {LabError} LAB_UNSUPPORTED, LAB_EXISTS
   */
  static async up(
    topology: Topology,
    options: { name?: string; onStep?: (step: string) => void } = {},
  ): Promise<Lab> {
    const name = options.name ?? "lab";
    const step = options.onStep ?? (() => {});
    const problem = await labProblem();
    if (problem !== undefined) throw new LabError("LAB_UNSUPPORTED", problem);
    if (await hasTraces(name)) {
      throw new LabError("LAB_EXISTS", `lab ${name} is up, or crashed: centroid lab down --name ${name}`);
    }
    const place = (places: Topology["hosts"], address: (index: number) => string) =>
      places.map((it, index) => ({
        name: it.name,
        namespace: namespaceOf(name, it.name),
        address: address(index),
      }));
    const lab = new Lab({
      name,
      hosts: place(topology.hosts, hostAddress),
      sites: place(topology.sites, siteAddress),
      links: topology.links,
    });
    try {
      await mkdir(lab.directory, { recursive: true });
      await lab.#save();
      step("making namespaces");
      for (const it of [...lab.#state.hosts, ...lab.#state.sites]) await makeNamespace(it.namespace);
      step("starting the backbone");
      await lab.#startBackbone();
      step(`starting ${lab.#state.hosts.length} hypervisors`);
      await Promise.all(lab.#state.hosts.map((host) => lab.startHypervisor(host.name)));
      return lab;
    } catch (error) {
      await Lab.down(name);
      throw error;
    }
  }

  /** The running lab of this name. @throws {LabError} LAB_MISSING */
  static async open(name = "lab"): Promise<Lab> {
    try {
      const text = await readFile(join(labsDirectory, name, "state.json"), "utf8");
      return new Lab(stateSchema.parse(JSON.parse(text)));
    } catch {
      throw new LabError("LAB_MISSING", `no lab ${name} is up: centroid lab up --hosts 3`);
    }
  }

  async #save(): Promise<void> {
    const path = join(this.directory, "state.json");
    await writeFile(`${path}.new`, JSON.stringify(this.#state, null, 2));
    await rename(`${path}.new`, path);
  }

  async #startBackbone(): Promise<void> {
    const places = [...this.#state.hosts, ...this.#state.sites];
    this.#state.switch = await startSwitch({
      directory: this.directory,
      programDirectory,
      ports: places.map((it) => ({ name: it.name, namespacePath: `/run/netns/${it.namespace}` })),
    });
    await this.#save();
    for (const { namespace, address } of places) {
      // A bridge at sites too: one shape for all, and room for more than one player per site.
      await run("ip", ["-n", namespace, "link", "add", "br0", "type", "bridge", "forward_delay", "0"]);
      await run("ip", ["-n", namespace, "link", "set", "up0", "master", "br0", "up"]);
      await run("ip", ["-n", namespace, "addr", "add", `${address}/${labPrefixBits}`, "dev", "br0"]);
      await run("ip", ["-n", namespace, "link", "set", "br0", "up"]);
    }
    for (const link of this.#state.links) await this.#applyLink(link);
  }

  async #applyLink(link: LabLink): Promise<void> {
    const control = this.#state.switch?.controlPath;
    if (control === undefined)
      throw new LabError("LAB_MISSING", `the backbone of lab ${this.name} is not up`);
    await setLink(control, link.a, link.b, link);
  }

  /** (Re)starts a host's libvirtd, after a crash for instance. Its running VMs are found again. */
  async startHypervisor(name: string): Promise<Hypervisor> {
    const { namespace, address } = this.host(name);
    const hosts = this.#state.hosts.map((host) => `${host.address} ${host.name}\n`).join("");
    const directory = this.#hostDirectory(name);
    return startHypervisor({ directory, namespace, hostname: name, address, hosts, programDirectory });
  }

  /** The process id of a host's libvirtd, if it runs. */
  hypervisorPid(name: string): Promise<number | undefined> {
    return hypervisorPid(this.#hostDirectory(name));
  }

  /** Changes a link while the lab runs; what is not given stays as it is. @throws {LabError} LAB_UNKNOWN_PLACE */
  async setLink(a: string, b: string, change: Partial<LinkProperties>): Promise<LabLink> {
    const names = new Set([...this.#state.hosts, ...this.#state.sites].map((it) => it.name));
    for (const name of [a, b]) {
      if (!names.has(name)) {
        throw new LabError(
          "LAB_UNKNOWN_PLACE",
          `lab ${this.name} has no ${name}; it has ${[...names].join(", ")}`,
        );
      }
    }
    const joins = (link: LabLink) => (link.a === a && link.b === b) || (link.a === b && link.b === a);
    const before = this.#state.links.find(joins) ?? { a, b, rttMs: 0, jitterMs: 0, loss: 0, up: true };
    const link = { ...before, ...change };
    await this.#applyLink(link);
    this.#state.links = [...this.#state.links.filter((other) => !joins(other)), link];
    await this.#save();
    return link;
  }

  /** Of the backbone, for those who follow where a guest is. @throws {LabError} LAB_MISSING */
  get controlPath(): string {
    const path = this.#state.switch?.controlPath;
    if (path === undefined) throw new LabError("LAB_MISSING", `the backbone of lab ${this.name} is not up`);
    return path;
  }

  async traffic(): Promise<LinkTraffic[]> {
    const control = this.#state.switch?.controlPath;
    return control === undefined ? [] : readTraffic(control);
  }

  /** Ends every process of the lab and removes its namespaces and files, whatever state it was left in. */
  static async down(name = "lab"): Promise<void> {
    const directory = join(labsDirectory, name);
    const namespaces = await namespacesOf(name);
    const pids = new Set<number>();
    for (const namespace of namespaces) {
      const listed = await run("ip", ["netns", "pids", namespace]).catch(() => "");
      for (const pid of listed.split("\n")) if (pid !== "") pids.add(Number(pid));
    }
    for (const pid of await processesMentioning(join(directory, "switch.sock"))) pids.add(pid);
    await endProcesses(pids);
    for (const namespace of namespaces) await run("ip", ["netns", "delete", namespace]).catch(() => "");
    await rm(directory, { recursive: true, force: true });
  }
}

const namespaceOf = (lab: string, place: string) => `${namespacePrefix}-${lab}-${place}`;

async function namespacesOf(lab: string): Promise<string[]> {
  const all = existsSync("/run/netns") ? await readdir("/run/netns") : [];
  return all.filter((namespace) => namespace.startsWith(`${namespacePrefix}-${lab}-`));
}

async function hasTraces(lab: string): Promise<boolean> {
  return existsSync(join(labsDirectory, lab, "state.json")) || (await namespacesOf(lab)).length > 0;
}

async function makeNamespace(namespace: string): Promise<void> {
  await run("ip", ["netns", "add", namespace]);
  await run("ip", ["-n", namespace, "link", "set", "lo", "up"]);
  const values = Object.entries(namespaceSettings).map(([key, value]) => `${key}=${value}`);
  await run("ip", ["netns", "exec", namespace, "sysctl", "-qw", ...values]);
}

/** Processes with this argument: how the switch is found without a state file. */
async function processesMentioning(argument: string): Promise<number[]> {
  const found: number[] = [];
  for (const entry of await readdir("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    const line = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
    if (line.split("\0")[1] === argument) found.push(Number(entry));
  }
  return found;
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch {
    return false;
  }
}

/** A process that has ended but was not reaped yet has nothing left to end. */
function isRunning(pid: number): boolean {
  try {
    return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z ");
  } catch {
    return false;
  }
}

async function endProcesses(pids: ReadonlySet<number>): Promise<void> {
  const living = () => [...pids].filter(isRunning);
  for (const pid of pids) signal(pid, "SIGTERM");
  await waitFor("the lab's processes", () => living().length === 0, endTimeoutMs).catch(() => {});
  for (const pid of living()) signal(pid, "SIGKILL");
  await waitFor("the killed processes", () => living().length === 0, endTimeoutMs);
}
