/**
 * A test network on one box: a namespace per edge host, with a libvirtd of its own, and per player site,
 * joined by an emulated backbone. The only addresses used are inside the namespaces.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { run } from "@centroid/agent";
import { endContainers } from "@centroid/container-carrier";
import { CentroidError } from "@centroid/protocol";
import { z } from "zod";
import { socketBuffers } from "./buffers.js";
import { type Hypervisor, hypervisorOf, hypervisorPid, startHypervisor } from "./hypervisor.js";
import { type LabKind, labProblem } from "./lab-problem.js";
import {
  directoryOf,
  hasTraces,
  type LabPlace,
  type LabState,
  labNames,
  programDirectory,
  readLabState,
  writeState,
} from "./lab-state.js";
import { configure, makeNamespace, namespaceOf, namespacesOf } from "./namespaces.js";
import { endProcesses, processesMentioning } from "./processes.js";
import { type LinkTraffic, readTraffic, setLink, startSwitch } from "./switch.js";
import {
  bridgeMac,
  hostAddress,
  type LabLink,
  type LinkProperties,
  labPrefixBits,
  linkPropertiesSchema,
  siteAddress,
  type Topology,
} from "./topology.js";

const HOSTS = "hosts";
/** Of a host whose rooms run in containers. */
export const containersOf = (hostDirectory: string): string => join(hostDirectory, "containers");
/** Of a lab's rooms that are on their way, on a tmpfs. */
export const imagesOf = (lab: string): string => join("/dev/shm/centroid-images", lab);

export interface LabHost extends LabPlace, Hypervisor {}

export class Lab {
  readonly name: string;
  readonly directory: string;
  #state: LabState;

  private constructor(state: LabState) {
    this.name = state.name;
    this.directory = directoryOf(state.name);
    this.#state = state;
  }

  get hosts(): LabHost[] {
    return this.#state.hosts.map((host) => ({
      ...host,
      ...hypervisorOf(this.hostDirectory(host.name), host.address),
    }));
  }

  get sites(): readonly LabPlace[] {
    return this.#state.sites;
  }

  get links(): readonly LabLink[] {
    return this.#state.links;
  }

  /** Of what belongs to one host; goes with the lab. */
  hostDirectory(name: string): string {
    return join(this.directory, HOSTS, name);
  }

  /** @throws CentroidError HOST_NOT_FOUND */
  host(name: string): LabHost {
    const host = this.hosts.find((candidate) => candidate.name === name);
    if (host === undefined) throw new CentroidError("HOST_NOT_FOUND", `lab ${this.name} has no host ${name}`);
    return host;
  }

  /**
   * Brings a lab up. On failure everything is taken down again.
   * @throws CentroidError CARRIER_UNAVAILABLE, CONFIG_INVALID when it is up
   */
  static async up(
    topology: Topology,
    options: { name?: string; kind?: LabKind; onStep?: (step: string) => void } = {},
  ): Promise<Lab> {
    const { name = "lab", kind = "machines" } = options;
    const step = options.onStep ?? (() => {});
    const problem = await labProblem(kind);
    if (problem !== undefined) throw new CentroidError("CARRIER_UNAVAILABLE", problem);
    if (await hasTraces(name)) {
      throw new CentroidError(
        "CONFIG_INVALID",
        `lab ${name} is up, or crashed: centroid lab down --name ${name}`,
      );
    }
    const place = (places: Topology["hosts"], address: (index: number) => string) =>
      places.map((it, index) => ({
        name: it.name,
        namespace: namespaceOf(name, it.name),
        address: address(index),
      }));
    const lab = new Lab({
      name,
      kind,
      hosts: place(topology.hosts, hostAddress),
      sites: place(topology.sites, siteAddress),
      links: topology.links,
    });
    try {
      await mkdir(lab.directory, { recursive: true });
      await writeState(lab.#state);
      step("making namespaces");
      for (const it of [...lab.#state.hosts, ...lab.#state.sites]) await makeNamespace(it.namespace);
      step("starting the backbone");
      await lab.#startBackbone();
      if (kind === "containers") return lab;
      step(`starting ${lab.#state.hosts.length} hypervisors`);
      await Promise.all(lab.#state.hosts.map((host) => lab.startHypervisor(host.name)));
      return lab;
    } catch (error) {
      await Lab.down(name);
      throw error;
    }
  }

  /** The running lab of this name. @throws CentroidError NOT_FOUND */
  static async open(name = "lab"): Promise<Lab> {
    const state = await readLabState(name);
    if (state !== undefined) return new Lab(state);
    if (await hasTraces(name))
      throw new CentroidError("NOT_FOUND", `lab ${name} has crashed: centroid lab down --name ${name}`);
    const others = (await labNames()).map((other) => `--name ${other}`).join(", ");
    const remedy = others === "" ? "centroid lab up --hosts 3" : `there is ${others}`;
    throw new CentroidError("NOT_FOUND", `no lab ${name} is up: ${remedy}`);
  }

  async #startBackbone(): Promise<void> {
    const places = [...this.#state.hosts, ...this.#state.sites];
    this.#state.switch = await startSwitch({
      directory: this.directory,
      programDirectory,
      ports: places.map((it) => ({ name: it.name, namespacePath: `/run/netns/${it.namespace}` })),
    });
    await writeState(this.#state);
    for (const { namespace, address } of places) {
      // A bridge at sites too: one shape for all, and room for more than one player per site.
      const bridge = ["address", bridgeMac(address), "type", "bridge", "forward_delay", "0"];
      await run("ip", ["-n", namespace, "link", "add", "br0", ...bridge]);
      await run("ip", ["-n", namespace, "link", "set", "up0", "master", "br0", "up"]);
      await run("ip", ["-n", namespace, "addr", "add", `${address}/${labPrefixBits}`, "dev", "br0"]);
      await run("ip", ["-n", namespace, "link", "set", "br0", "up"]);
    }
    for (const link of this.#state.links) await this.#applyLink(link);
    await this.#fitBuffers();
  }

  async #fitBuffers(): Promise<void> {
    for (const { name, namespace } of this.#state.hosts)
      await configure(namespace, socketBuffers(name, this.#state.hosts, this.#state.links));
  }

  async #applyLink(link: LabLink): Promise<void> {
    await setLink(this.controlPath, link.a, link.b, link);
  }

  /** (Re)starts a host's libvirtd, after a crash for instance. Its running VMs are found again. */
  async startHypervisor(name: string): Promise<Hypervisor> {
    const { namespace, address } = this.host(name);
    const hosts = this.#state.hosts.map((host) => `${host.address} ${host.name}\n`).join("");
    const directory = this.hostDirectory(name);
    return startHypervisor({ directory, namespace, hostname: name, address, hosts, programDirectory });
  }

  /** The process id of a host's libvirtd, if it runs. */
  hypervisorPid(name: string): Promise<number | undefined> {
    return hypervisorPid(this.hostDirectory(name));
  }

  /**
   * Changes a link while the lab runs; what is not given stays as it is.
   * @throws CentroidError HOST_NOT_FOUND, BAD_REQUEST for what a link cannot have
   */
  async setLink(a: string, b: string, change: Partial<LinkProperties>): Promise<LabLink> {
    // Other processes change links, too.
    this.#state = (await readLabState(this.name)) ?? this.#state;
    const names = new Set([...this.#state.hosts, ...this.#state.sites].map((it) => it.name));
    for (const name of [a, b]) {
      if (!names.has(name)) {
        throw new CentroidError(
          "HOST_NOT_FOUND",
          `lab ${this.name} has no ${name}; it has ${[...names].join(", ")}`,
        );
      }
    }
    const joins = (link: LabLink) => (link.a === a && link.b === b) || (link.a === b && link.b === a);
    const before = this.#state.links.find(joins) ?? { a, b, rttMs: 0, jitterMs: 0, loss: 0, up: true };
    const asked = linkPropertiesSchema.safeParse({ ...before, ...change });
    if (!asked.success) throw new CentroidError("BAD_REQUEST", `link: ${z.prettifyError(asked.error)}`);
    const link = { ...before, ...asked.data };
    await this.#applyLink(link);
    const { links } = this.#state;
    this.#state.links = links.some(joins)
      ? links.map((other) => (joins(other) ? link : other))
      : [...links, link];
    await this.#fitBuffers();
    await writeState(this.#state);
    return link;
  }

  /** Of the backbone, for those who follow where a guest is. @throws CentroidError NOT_FOUND */
  get controlPath(): string {
    const path = this.#state.switch?.controlPath;
    if (path === undefined)
      throw new CentroidError("NOT_FOUND", `the backbone of lab ${this.name} is not up`);
    return path;
  }

  /** @throws CentroidError NOT_FOUND when the backbone does not run */
  traffic(): Promise<LinkTraffic[]> {
    return readTraffic(this.controlPath);
  }

  /** Ends every process of the lab and removes its namespaces and files, whatever state it was left in; false if there was none. */
  static async down(name = "lab"): Promise<boolean> {
    const directory = directoryOf(name);
    const present = existsSync(directory);
    const namespaces = await namespacesOf(name);
    const pids = new Set<number>();
    for (const namespace of namespaces) {
      const listed = await run("ip", ["netns", "pids", namespace]).catch(() => "");
      for (const pid of listed.split("\n")) if (pid !== "") pids.add(Number(pid));
    }
    for (const pid of await processesMentioning(join(directory, "switch.sock"))) pids.add(pid);
    await endProcesses(pids);
    // They are in network namespaces of their own.
    for (const host of await readdir(join(directory, HOSTS)).catch(() => []))
      await endContainers(containersOf(join(directory, HOSTS, host)));
    for (const namespace of namespaces) await run("ip", ["netns", "delete", namespace]).catch(() => "");
    await rm(directory, { recursive: true, force: true });
    await rm(imagesOf(name), { recursive: true, force: true });
    return present || namespaces.length > 0;
  }
}
