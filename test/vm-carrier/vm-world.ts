/** Broker, agents and rooms in virtual machines, each of which can be ended and started again by itself. */
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import { type DeployLab, startDeployLab, startDistanceEmulator } from "@centroid/emulation";
import { type OrderedMechanism, type Receipt, receiptSchema } from "@centroid/protocol";
import { bundleRooms, type RoomsBundle } from "@centroid/room-host/bundling";
import { expect } from "vitest";
import { testRoomsImageDirectory } from "./support.js";

export const vmHosts = ["left", "right"] as const;
export type VmHostId = (typeof vmHosts)[number];

/** Slow enough that a move takes seconds, so that faults hit the middle of it. */
const slowMegabitsPerS = 200;
/** Of the 150 MB that a guest has. */
const underWayBytes = 20e6;
const here = "here";
const token = "token-of-the-vm-tests";

export class VmWorld implements AsyncDisposable {
  /** Ended last to first. */
  readonly #parts: AsyncDisposable[];
  readonly #bundle: RoomsBundle;
  readonly deployed: DeployLab;
  readonly #relay: Awaited<ReturnType<typeof startDistanceEmulator>>;
  readonly stateDir: string;
  readonly #agents = new Map<VmHostId, AgentProcess>();
  #broker: Broker | undefined;
  #port = 0;

  private constructor(
    parts: AsyncDisposable[],
    bundle: RoomsBundle,
    deployed: DeployLab,
    relay: Awaited<ReturnType<typeof startDistanceEmulator>>,
    stateDir: string,
  ) {
    this.#parts = parts;
    this.#bundle = bundle;
    this.deployed = deployed;
    this.#relay = relay;
    this.stateDir = stateDir;
  }

  /** @param prepare told the folder of the broker's store before that starts */
  static async start(prepare?: (storeDir: string) => void): Promise<VmWorld> {
    const parts: AsyncDisposable[] = [];
    const folder = await mkdtemp(join(tmpdir(), "centroid-vm-world-"));
    parts.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
    await mkdir(testRoomsImageDirectory, { recursive: true });
    await symlink(testRoomsImageDirectory, join(folder, "vm-image"));
    const stateDir = join(folder, "store");
    await mkdir(stateDir);
    prepare?.(stateDir);
    const bundle = await bundleRooms(DEMO_ROOMS_DIR, join(folder, "rooms"));
    const deployed = await startDeployLab({
      name: `w${process.pid}`,
      hostIds: vmHosts,
      rooms: bundle,
      stateDir: folder,
      notice: () => undefined,
    });
    parts.push(deployed);
    const relay = await startDistanceEmulator({
      rttMs: { [here]: { [here]: 0 } },
      defaultSiteId: here,
      hosts: vmHosts.map((hostId) => ({ hostId, siteId: here })),
      lab: {
        namespace: deployed.playersNamespace,
        controlPath: deployed.lab.controlPath,
        hosts: deployed.hosts,
      },
    });
    parts.push(relay);
    const world = new VmWorld(parts, bundle, deployed, relay, stateDir);
    await world.startBroker();
    for (const hostId of vmHosts) await world.startAgent(hostId);
    return world;
  }

  get url(): string {
    return this.#broker?.url ?? "";
  }

  async startBroker(): Promise<void> {
    this.#broker = await startBroker({
      port: this.#port,
      storeDir: this.stateDir,
      carrier: "vm",
      limits: false,
      adminToken: token,
      agentToken: token,
      addressBook: this.#relay,
      autoMove: false,
    });
    this.#port = Number(new URL(this.#broker.url).port);
  }

  async endBroker(): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
    this.#broker = undefined;
  }

  async startAgent(hostId: VmHostId): Promise<void> {
    const { namespace, address, vm } = this.deployed.agent(hostId);
    const brokerUrl = await this.#door();
    const agent = await startAgent(
      {
        hostId,
        name: hostId,
        latitude: 0,
        longitude: vmHosts.indexOf(hostId) * 90,
        brokerUrls: [brokerUrl],
        token,
        roomsBundle: this.#bundle.path,
        roomTypes: this.#bundle.roomTypes,
        carriers: ["vm"],
        capacityRooms: 8,
        bindHost: address,
        vm,
      },
      { namespace },
    );
    this.#agents.set(hostId, agent);
  }

  #opened: Promise<string> | undefined;
  #door(): Promise<string> {
    this.#opened ??= this.deployed.openBroker(this.#port);
    return this.#opened;
  }

  async killAgent(hostId: VmHostId): Promise<void> {
    const agent = this.#agents.get(hostId);
    agent?.kill("SIGKILL");
    await agent?.exited;
  }

  async get<T>(path: string): Promise<T> {
    const headers = { authorization: `Bearer ${token}` };
    return (await (await fetch(`${this.url}/api/v1${path}`, { headers })).json()) as T;
  }

  async hostOf(roomId: string): Promise<VmHostId | undefined> {
    const rooms = await this.get<{ roomId: string; hostId: VmHostId; state: string }[]>("/rooms");
    return rooms.find((room) => room.roomId === roomId && room.state === "running")?.hostId;
  }

  /** Newest first. */
  async receiptsOf(roomId: string): Promise<Receipt[]> {
    const receipts = await this.get<Receipt[]>("/receipts?limit=50");
    return receipts.filter((receipt) => receipt.roomId === roomId);
  }

  async move(roomId: string, hostId: string, mechanism?: OrderedMechanism): Promise<Receipt> {
    const response = await fetch(`${this.url}/api/v1/rooms/${roomId}/move`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ hostId, ...(mechanism && { mechanism }) }),
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(body));
    return receiptSchema.parse(body);
  }

  async crossed(from: string, to: string): Promise<number> {
    const links = await this.deployed.lab.traffic();
    return links.find((link) => link.from === from && link.to === to)?.bytes ?? 0;
  }

  /**
   * Moves the room over a slow link and breaks something once the copy is under way. The receipt, or undefined when
   * what was broken is who would have written it.
   */
  async moveAnd(
    roomId: string,
    fault: (from: VmHostId, to: VmHostId) => Promise<void> | void,
  ): Promise<Receipt | undefined> {
    const { lab } = this.deployed;
    const { from, to } = await this.#endsOf(roomId);
    await lab.setLink(from, to, { megabitsPerS: slowMegabitsPerS });
    try {
      const before = await this.crossed(from, to);
      const moved = this.move(roomId, to, "precopy").catch(() => undefined);
      await expect
        .poll(() => this.crossed(from, to), { timeout: 30_000, interval: 20 })
        .toBeGreaterThan(before + underWayBytes);
      await fault(from, to);
      return await moved;
    } finally {
      await lab.setLink(from, to, { megabitsPerS: 100_000, up: true });
    }
  }

  async #endsOf(roomId: string): Promise<{ from: VmHostId; to: VmHostId }> {
    await expect.poll(() => this.hostOf(roomId), { timeout: 30_000 }).toBeDefined();
    const from = (await this.hostOf(roomId)) ?? "left";
    return { from, to: from === "left" ? "right" : "left" };
  }

  /** Of a room's VM on one host. */
  qemuPid(hostId: VmHostId, roomId: string): number {
    const path = join(this.deployed.lab.directory, "hosts", hostId, "run/qemu", `room-${roomId}.pid`);
    return Number(readFileSync(path, "utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    await this.endBroker();
    for (const part of this.#parts.reverse()) await part[Symbol.asyncDispose]();
  }
}
