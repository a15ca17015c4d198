/** The whole system on this machine, each part as users run it: broker, agents and emulator with real processes. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, type BrokerOptions, startBroker } from "@centroid/broker";
import { type DistanceEmulator, startDistanceEmulator } from "@centroid/emulation";
import { embeddedGateway } from "@centroid/gateway";
import {
  type BrokerEvent,
  type Decision,
  eventSchema,
  type Host,
  type Receipt,
  type Room,
} from "@centroid/protocol";
import { bundleRooms } from "@centroid/room-host/bundling";
import { CentroidClient, type CentroidClientOptions } from "@centroid/sdk";
import { WebSocket } from "ws";

export interface LiveHost {
  hostId: string;
  latitude: number;
  longitude: number;
}
/** Three hosts far apart, and what lies between them, ms. */
export const HOSTS: LiveHost[] = [
  { hostId: "frankfurt", latitude: 50.11, longitude: 8.68 },
  { hostId: "virginia", latitude: 38.95, longitude: -77.45 },
  { hostId: "tokyo", latitude: 35.68, longitude: 139.69 },
];
const RTT: Record<string, Record<string, number>> = {
  frankfurt: { frankfurt: 4, virginia: 90, tokyo: 220 },
  virginia: { frankfurt: 90, virginia: 4, tokyo: 150 },
  tokyo: { frankfurt: 220, virginia: 150, tokyo: 4 },
};
/** Below the limit of a test, so that it is this that speaks. */
const WAIT_MS = 40_000;
const EVENTS_SHOWN = 40;
const TOKEN = "test-agent-token-0123";
export const ADMIN_TOKEN = "test-admin-token-0123";

export class LiveSystem implements AsyncDisposable {
  readonly agents = new Map<string, AgentProcess>();
  readonly emulator: DistanceEmulator;
  readonly events: BrokerEvent[] = [];
  readonly #clients: CentroidClient[] = [];
  readonly #waiting = new Set<() => void>();
  readonly #folder: string;
  readonly #rooms: { path: string; roomTypes: string[] };
  readonly #options: BrokerOptions;
  #socket: WebSocket | undefined;
  broker!: Broker;
  /** Further brokers of the same deployment, that agents are to know. */
  readonly others: Broker[] = [];

  private constructor(
    emulator: DistanceEmulator,
    folder: string,
    rooms: { path: string; roomTypes: string[] },
    options: BrokerOptions,
  ) {
    this.emulator = emulator;
    this.#folder = folder;
    this.#rooms = rooms;
    this.#options = options;
  }

  static async start(
    options: BrokerOptions = {},
    hosts = HOSTS,
    rttMs: Record<string, Record<string, number>> = RTT,
  ): Promise<LiveSystem> {
    const folder = await mkdtemp(join(tmpdir(), "centroid-live-"));
    const rooms = await bundleRooms(join(import.meta.dirname, "../fixtures/rooms"), folder);
    const emulator = await startDistanceEmulator({
      rttMs,
      hosts: HOSTS.map(({ hostId }) => ({ hostId, siteId: hostId })),
    });
    const system = new LiveSystem(emulator, folder, rooms, options);
    await system.startBroker(0);
    await Promise.all(hosts.map((host) => system.startHost(host)));
    return system;
  }

  async startBroker(port: number): Promise<void> {
    this.broker = await startBroker({
      port,
      storeDir: join(this.#folder, "store"),
      adminToken: ADMIN_TOKEN,
      agentToken: TOKEN,
      addressBook: this.emulator,
      emulated: true,
      limits: false,
      gateway: embeddedGateway,
      ...this.#options,
    });
    const socket = new WebSocket(`${this.broker.url.replace("http", "ws")}/events`);
    this.#socket = socket;
    socket.on("message", (data: Buffer) => {
      this.events.push(eventSchema.parse(JSON.parse(data.toString())));
      for (const wake of [...this.#waiting]) wake();
    });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  }

  /** One more broker on the same Redis; to be started before the hosts that should know it. */
  async startAnother(options: BrokerOptions): Promise<Broker> {
    const broker = await startBroker({
      port: 0,
      adminToken: ADMIN_TOKEN,
      agentToken: TOKEN,
      addressBook: this.emulator,
      emulated: true,
      limits: false,
      ...options,
    });
    this.others.push(broker);
    return broker;
  }

  async stopBroker(): Promise<void> {
    this.#socket?.close();
    await this.broker[Symbol.asyncDispose]();
  }

  async startHost(
    { hostId, latitude, longitude }: LiveHost,
    capacityRooms = 50,
    brokerUrls = [this.broker, ...this.others].map(({ url }) => url.replace("http", "ws")),
  ): Promise<AgentProcess> {
    const agent = await startAgent({
      hostId,
      latitude,
      longitude,
      capacityRooms,
      name: hostId[0]!.toUpperCase() + hostId.slice(1),
      brokerUrls,
      token: await this.broker.agentTokenOf(hostId),
      roomsBundle: this.#rooms.path,
      roomTypes: this.#rooms.roomTypes,
    });
    this.agents.set(hostId, agent);
    return agent;
  }

  /** A player in a city; its network label is its own, so that it can travel. */
  async player(label: string, city: string, options: CentroidClientOptions = {}): Promise<CentroidClient> {
    await this.emulator.setSite(label, city);
    const client = new CentroidClient(this.broker.url, {
      network: label,
      probing: { intervalMs: 300 },
      // Most tests are about a room that is where its players are.
      measureFirst: true,
      ...options,
    });
    this.#clients.push(client);
    return client;
  }

  /** The first event, past or to come, for which `pick` gives something. */
  event<T>(pick: (event: BrokerEvent) => T | undefined, from = 0): Promise<T> {
    return this.within(`an event for which ${pick} gives something`, this.#event(pick, from));
  }

  async #event<T>(pick: (event: BrokerEvent) => T | undefined, from: number): Promise<T> {
    let at = from;
    for (;;) {
      for (; at < this.events.length; at++) {
        const found = pick(this.events[at]!);
        if (found !== undefined) return found;
      }
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** What it waits for, or an error that names it and shows what happened: a test that runs into its own limit says nothing. */
  async within<T>(what: string, wait: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const news = changes(this.events).slice(-EVENTS_SHOWN);
        reject(new Error(`not within ${WAIT_MS} ms: ${what}\nuntil then:\n${news.join("\n")}`));
      }, WAIT_MS);
    });
    try {
      return await Promise.race([wait, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  receipt(roomId: string, from = 0): Promise<Receipt> {
    return this.event(
      (event) => (event.type === "receipt" && event.receipt.roomId === roomId ? event.receipt : undefined),
      from,
    );
  }

  async get<T = unknown>(path: string): Promise<T> {
    return (await (await fetch(`${this.broker.url}${path}`)).json()) as T;
  }

  async post(
    path: string,
    body: object = {},
    token: string | undefined = ADMIN_TOKEN,
  ): Promise<{ status: number; body: never }> {
    const response = await fetch(`${this.broker.url}/api/v1${path}`, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    return { status: response.status, body: (await response.json()) as never };
  }

  rooms = (): Promise<Room[]> => this.get("/api/v1/rooms");
  hosts = (): Promise<Host[]> => this.get("/api/v1/hosts");
  decisions = (roomId: string): Promise<Decision[]> => this.get(`/api/v1/rooms/${roomId}/decisions`);

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.dispose();
    await Promise.all([...this.agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    await Promise.all(this.others.map((broker) => broker[Symbol.asyncDispose]()));
    await this.stopBroker();
    await this.emulator[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** What became another: a host beats often, and a room is counted often. */
function changes(events: readonly BrokerEvent[]): string[] {
  const last = new Map<string, string>();
  return events.flatMap((event) => {
    const line = shown(event) ?? "";
    const [subject = ""] = line.split(":");
    if (line === "" || last.get(subject) === line) return [];
    last.set(subject, line);
    return line;
  });
}

/** What a failed wait shows of an event. */
function shown(event: BrokerEvent): string | undefined {
  switch (event.type) {
    case "host":
      return `host ${event.host.hostId}: ${event.host.state}`;
    case "room": {
      const { roomId, hostId, state, epoch, players } = event.room;
      return `room ${roomId}: ${state} at ${hostId}, epoch ${epoch}, ${players} players`;
    }
    case "receipt": {
      const { roomId, fromHostId, toHostId, mechanism, outcome, error } = event.receipt;
      return `move of ${roomId}: ${fromHostId} to ${toHostId}, ${mechanism}, ${outcome} ${error?.message ?? ""}`;
    }
    default:
      return undefined;
  }
}
