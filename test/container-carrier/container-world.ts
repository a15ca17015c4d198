/** Broker, agents and rooms in containers on lab hosts, each of which can be ended and started again by itself. */
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import { CONTAINER_AGENT_MAIN, type ContainerConfig, criuProblem } from "@centroid/container-carrier";
import { DEMO_ROOMS_DIR } from "@centroid/demo";
import {
  type DeployLab,
  type DistanceEmulator,
  labProblem,
  startContainerLab,
  startDistanceEmulator,
} from "@centroid/emulation";
import { type Receipt, receiptSchema } from "@centroid/protocol";
import { bundleRooms, type RoomsBundle } from "@centroid/room-host/bundling";
import { Client, type Room } from "@colyseus/sdk";
import { expect } from "vitest";

export const containerHosts = ["left", "right"] as const;
export type ContainerHostId = (typeof containerHosts)[number];

/** Set to 1 to run every fault. */
export const allFaults = process.env.CENTROID_CONTAINERS === "1";

/** Slow enough that sending a room takes a second or more, so that faults hit the middle of it. */
const SLOW_MEGABITS_PER_S = 100;
const FAST_MEGABITS_PER_S = 100_000;
/** Of the 25 MB that a room has. */
const UNDER_WAY_BYTES = 3e6;
const LOST_AFTER_MS = 20_000;
const RESTART_MS = 60_000;
const APPEARS_MS = 60_000;
const HERE = "here";
const TOKEN = "token-of-the-container-tests";

/** Why these tests cannot run here; said once per file. */
export async function containerProblem(tier: string): Promise<string | undefined> {
  const problem = (await labProblem("containers")) ?? (await criuProblem());
  console.log(problem === undefined ? `runs: ${tier}` : `skipped: ${tier} (${problem})`);
  return problem;
}

export class ContainerWorld implements AsyncDisposable {
  /** Ended last to first. */
  readonly #parts: AsyncDisposable[];
  readonly deployed: DeployLab<{ container: ContainerConfig }>;
  readonly notices: string[] = [];
  #capacityRooms = 0;
  readonly #bundle: RoomsBundle;
  readonly #emulator: DistanceEmulator;
  readonly #storeDir: string;
  readonly #agents = new Map<ContainerHostId, AgentProcess>();
  #broker: Broker | undefined;
  #port = 0;
  #brokerUrl = "";

  private constructor(
    parts: AsyncDisposable[],
    deployed: ContainerWorld["deployed"],
    bundle: RoomsBundle,
    emulator: DistanceEmulator,
    storeDir: string,
  ) {
    this.#parts = parts;
    this.deployed = deployed;
    this.#bundle = bundle;
    this.#emulator = emulator;
    this.#storeDir = storeDir;
  }

  /** @param change other rooms than the demo's, how much memory each may take, fewer hosts, and rooms of each */
  static async start(
    name: string,
    {
      rooms: folderOfRooms = DEMO_ROOMS_DIR,
      memoryMebibytes,
      hostIds = containerHosts,
      capacityRooms = 8,
    }: {
      rooms?: string;
      memoryMebibytes?: number;
      hostIds?: readonly ContainerHostId[];
      capacityRooms?: number;
    } = {},
  ): Promise<ContainerWorld> {
    const parts: AsyncDisposable[] = [];
    try {
      const folder = await mkdtemp(join(tmpdir(), "centroid-containers-"));
      parts.push({ [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) });
      const rooms = await bundleRooms(folderOfRooms, join(folder, "rooms"));
      const deployed = await startContainerLab({
        name: `${name}${process.pid}`,
        hostIds: containerHosts,
        rooms,
        stateDir: folder,
        notice: () => undefined,
        ...(memoryMebibytes !== undefined && { memoryMebibytes }),
      });
      parts.push(deployed);
      const emulator = await startDistanceEmulator({
        rttMs: { [HERE]: { [HERE]: 0 } },
        defaultSiteId: HERE,
        hosts: containerHosts.map((hostId) => ({ hostId, siteId: HERE })),
        lab: {
          namespace: deployed.playersNamespace,
          controlPath: deployed.lab.controlPath,
          hosts: deployed.hosts,
        },
      });
      parts.push(emulator);
      const world = new ContainerWorld(parts, deployed, rooms, emulator, join(folder, "store"));
      parts.push({ [Symbol.asyncDispose]: () => world.endBroker() });
      await world.startBroker();
      world.#brokerUrl = await deployed.openBroker(world.#port);
      world.#capacityRooms = capacityRooms;
      for (const hostId of hostIds) await world.startAgent(hostId);
      return world;
    } catch (cause) {
      for (const part of parts.reverse()) await part[Symbol.asyncDispose]();
      throw cause;
    }
  }

  get url(): string {
    return this.#broker?.url ?? "";
  }

  async startBroker(): Promise<void> {
    this.#broker = await startBroker({
      port: this.#port,
      storeDir: this.#storeDir,
      carrier: "container",
      limits: false,
      adminToken: TOKEN,
      agentToken: TOKEN,
      addressBook: this.#emulator,
      autoMove: false,
      // A machine with other work must not look like a dead host.
      lostAfterMs: LOST_AFTER_MS,
      agentRestartMs: RESTART_MS,
    });
    this.#port = Number(new URL(this.#broker.url).port);
  }

  async endBroker(): Promise<void> {
    await this.#broker?.[Symbol.asyncDispose]();
    this.#broker = undefined;
  }

  async startAgent(hostId: ContainerHostId, change: Partial<ContainerConfig> = {}): Promise<void> {
    const { namespace, address, container } = this.deployed.agent(hostId);
    const agent = await startAgent(
      {
        hostId,
        name: hostId,
        latitude: 0,
        longitude: containerHosts.indexOf(hostId) * 90,
        brokerUrls: [this.#brokerUrl],
        token: TOKEN,
        roomsBundle: this.#bundle.path,
        roomTypes: this.#bundle.roomTypes,
        carriers: ["container"],
        capacityRooms: this.#capacityRooms,
        bindHost: address,
        container: { ...container, ...change },
      },
      {
        namespace,
        program: CONTAINER_AGENT_MAIN,
        onNotice: (line) => void this.notices.push(`${hostId}: ${line}`),
      },
    );
    this.#agents.set(hostId, agent);
  }

  async killAgent(hostId: ContainerHostId): Promise<void> {
    const agent = this.#agents.get(hostId);
    agent?.kill("SIGKILL");
    await agent?.exited;
  }

  async get<T>(path: string): Promise<T> {
    const headers = { authorization: `Bearer ${TOKEN}` };
    return (await (await fetch(`${this.url}/api/v1${path}`, { headers })).json()) as T;
  }

  async hostOf(roomId: string): Promise<ContainerHostId | undefined> {
    const rooms = await this.get<{ roomId: string; hostId: ContainerHostId; state: string }[]>("/rooms");
    return rooms.find((room) => room.roomId === roomId && room.state === "running")?.hostId;
  }

  async move(roomId: string, hostId: string, mechanism?: string): Promise<Receipt> {
    const response = await fetch(`${this.url}/api/v1/rooms/${roomId}/move`, {
      method: "POST",
      headers: { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" },
      body: JSON.stringify({ hostId, ...(mechanism !== undefined && { mechanism }) }),
    });
    const body: unknown = await response.json();
    if (!response.ok) throw new Error(JSON.stringify(body));
    return receiptSchema.parse(body);
  }

  async endsOf(roomId: string): Promise<{ from: ContainerHostId; to: ContainerHostId }> {
    await expect.poll(() => this.hostOf(roomId), { timeout: 60_000 }).toBeDefined();
    const from = (await this.hostOf(roomId)) ?? "left";
    return { from, to: from === "left" ? "right" : "left" };
  }

  async #crossed(from: string, to: string): Promise<number> {
    const links = await this.deployed.lab.traffic();
    return links.find((link) => link.from === from && link.to === to)?.bytes ?? 0;
  }

  /**
   * Moves the room over a slow link and breaks something once its memory is on the way.
   * @param mechanism memory sent ahead would be under way while the room still runs
   */
  async moveAnd(
    roomId: string,
    fault: (from: ContainerHostId, to: ContainerHostId) => Promise<void> | void,
    mechanism: "stop-and-copy" | "precopy" | "postcopy" = "stop-and-copy",
  ): Promise<Receipt> {
    const { lab } = this.deployed;
    const { from, to } = await this.endsOf(roomId);
    await lab.setLink(from, to, { megabitsPerS: SLOW_MEGABITS_PER_S });
    try {
      const before = await this.#crossed(from, to);
      const moved = this.move(roomId, to, mechanism);
      const early = moved.then((receipt) => {
        throw new Error(`the move was over before the fault: ${JSON.stringify(receipt)}`);
      });
      early.catch(() => undefined);
      // By post-copy, once the other host is about to run it with most of its memory still to come.
      const underWay: Promise<unknown> =
        mechanism === "postcopy"
          ? this.pidOf(to, roomId)
          : expect
              .poll(() => this.#crossed(from, to), { timeout: 60_000, interval: 20 })
              .toBeGreaterThan(before + UNDER_WAY_BYTES);
      await Promise.race([underWay, early]);
      await fault(from, to);
      return await moved;
    } finally {
      await lab.setLink(from, to, { megabitsPerS: FAST_MEGABITS_PER_S, up: true });
    }
  }

  /** Resolves as soon as criu has begun to write it. */
  async isBeingDumped(hostId: ContainerHostId, roomId: string): Promise<void> {
    const path = join(this.deployed.agent(hostId).container.directory, `room-${roomId}`, "dump.log");
    const until = performance.now() + APPEARS_MS;
    while (!existsSync(path)) {
      if (performance.now() > until) throw new Error(`there is no ${path}`);
      await nextTurn();
    }
  }

  /** Process id of a room's container on a host, once its agent has written it down: at a destination, before it runs. */
  async pidOf(hostId: ContainerHostId, roomId: string): Promise<number> {
    const path = join(this.deployed.agent(hostId).container.directory, `room-${roomId}`, "pid");
    const until = performance.now() + APPEARS_MS;
    for (;;) {
      const pid = Number(await readFile(path, "utf8").catch(() => ""));
      if (pid > 0) return pid;
      if (performance.now() > until) throw new Error(`there is no ${path}`);
      await nextTurn();
    }
  }

  /** The same of the room host within it. */
  async programOf(hostId: ContainerHostId, roomId: string): Promise<number> {
    const pid = await this.pidOf(hostId, roomId);
    return Number(await readFile(`/proc/${pid}/task/${pid}/children`, "utf8"));
  }

  /** Process id of what gives a room on a host its memory. */
  async pageSourceOf(hostId: ContainerHostId, roomId: string): Promise<number> {
    const folder = join(this.deployed.agent(hostId).container.directory, `room-${roomId}`);
    for (const entry of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      const command = await readFile(`/proc/${entry}/cmdline`, "utf8").catch(() => "");
      const [program = "", work] = command.split("\0");
      if (!program.endsWith("/lazy-pages") || work !== folder) continue;
      const giver = await readFile(`/proc/${entry}/task/${entry}/children`, "utf8");
      if (giver !== "") return Number(giver);
    }
    throw new Error(`nobody gives room ${roomId} its memory`);
  }

  /** Hosts where something of a room's container is left. */
  tracesOf(roomId: string): ContainerHostId[] {
    return containerHosts.filter((hostId) =>
      existsSync(join(this.deployed.agent(hostId).container.directory, `room-${roomId}`)),
    );
  }

  /** Images of rooms on their way, of this or any other agent. */
  images(): string[] {
    const { images } = this.deployed.agent("left").container;
    return existsSync(images)
      ? readdirSync(images, { recursive: true, encoding: "utf8" }).filter((name) => name.includes("/"))
      : [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    for (const part of this.#parts.reverse()) await part[Symbol.asyncDispose]();
  }
}

/** A stock Colyseus client that talks all the time and can say whether it was answered in order, once each. */
export class TalkingPlayer {
  readonly room: Room;
  readonly #connection: Room["connection"];
  readonly left: number[] = [];
  readonly #echoes: number[] = [];
  #sent = 0;
  readonly #talk: NodeJS.Timeout;

  private constructor(room: Room) {
    this.room = room;
    this.#connection = room.connection;
    room.onLeave((code) => this.left.push(code));
    room.onMessage("*", () => undefined);
    room.onMessage("echo", ({ t }: { t: number }) => this.#echoes.push(t));
    this.#talk = setInterval(() => room.send("echo", { t: this.#sent++ }), 20);
  }

  static async join(url: string): Promise<TalkingPlayer> {
    return new TalkingPlayer(await new Client(url).joinOrCreate("arena", { name: "stock" }));
  }

  /** What was said until now is answered, in order, each once, on the connection that it began with. */
  async expectNothingLost(): Promise<void> {
    const until = this.#sent;
    await expect.poll(() => this.#echoes.length, { timeout: 60_000 }).toBeGreaterThanOrEqual(until);
    expect(this.#echoes).toEqual(this.#echoes.map((_, t) => t));
    expect(this.left).toEqual([]);
    expect(this.room.connection).toBe(this.#connection);
  }

  async leave(): Promise<void> {
    clearInterval(this.#talk);
    await this.room.leave();
  }
}
