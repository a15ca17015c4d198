/** A distributed deployment made of processes that can be killed: brokers from the CLI, agents, a Redis. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AgentProcess, bundleRooms, startAgent } from "@centroid/infra";
import { descendants } from "../support/processes.js";
import { freePort, TestRedis } from "../support/redis.js";

const CLI = join(import.meta.dirname, "../../server/dist/cli/main.js");
const AGENT_TOKEN = "chaos-agent-token-0123";
export const ADMIN_TOKEN = "chaos-admin-token-0123";

interface BrokerProcess {
  readonly port: number;
  readonly url: string;
  child: ChildProcess;
}

export class ChaosWorld implements AsyncDisposable {
  readonly redis: TestRedis;
  readonly brokers: BrokerProcess[] = [];
  readonly agents = new Map<string, AgentProcess>();
  readonly #folder: string;
  readonly #rooms: { path: string; roomTypes: string[] };

  private constructor(redis: TestRedis, folder: string, rooms: { path: string; roomTypes: string[] }) {
    this.redis = redis;
    this.#folder = folder;
    this.#rooms = rooms;
  }

  static async start(brokers: number, hosts: number): Promise<ChaosWorld> {
    const folder = await mkdtemp(join(tmpdir(), "centroid-chaos-"));
    const rooms = await bundleRooms(join(import.meta.dirname, "../fixtures/rooms"), folder);
    const world = new ChaosWorld(await TestRedis.start(), folder, rooms);
    for (let at = 0; at < brokers; at++) await world.#addBroker();
    for (let at = 0; at < hosts; at++) await world.startAgent(`host${at}`);
    return world;
  }

  /** In the arguments or the environment of every process of this world but Redis. */
  get mark(): string {
    return this.#folder;
  }

  get urls(): string[] {
    return this.brokers.map(({ url }) => url);
  }

  async #addBroker(): Promise<void> {
    const port = await freePort();
    const broker = { port, url: `http://127.0.0.1:${port}`, child: this.#spawn(port) };
    this.brokers.push(broker);
    await this.#answers(broker);
  }

  #spawn(port: number): ChildProcess {
    const args = ["up", "--hosts", "0", "--port", String(port), "--redis", this.redis.url];
    return spawn(process.execPath, [CLI, ...args, "--state-dir", join(this.#folder, String(port))], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, CENTROID_AGENT_TOKEN: AGENT_TOKEN, CENTROID_TOKEN: ADMIN_TOKEN },
    });
  }

  async #answers({ url, child }: BrokerProcess): Promise<void> {
    for (;;) {
      if (child.exitCode !== null) throw new Error(`broker ended with ${child.exitCode}`);
      const response = await fetch(`${url}/healthz`).catch(() => undefined);
      if (response?.ok === true) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** Kills a broker without a word and starts it again. */
  async restartBroker(at: number): Promise<void> {
    const broker = this.brokers[at];
    if (broker === undefined) return;
    const gone = once(broker.child, "exit");
    broker.child.kill("SIGKILL");
    await gone;
    await this.startBroker(at);
  }

  /** In the place of one that has ended. */
  async startBroker(at: number): Promise<void> {
    const broker = this.brokers[at];
    if (broker === undefined) return;
    broker.child = this.#spawn(broker.port);
    await this.#answers(broker);
  }

  async startAgent(hostId: string): Promise<void> {
    this.agents.set(
      hostId,
      await startAgent({
        hostId,
        name: hostId,
        latitude: 0,
        longitude: this.agents.size * 10,
        brokerUrls: this.urls.map((url) => url.replace("http", "ws")),
        token: AGENT_TOKEN,
        roomsBundle: this.#rooms.path,
        roomTypes: this.#rooms.roomTypes,
        checkpointIntervalMs: 500,
      }),
    );
  }

  async restartAgent(hostId: string): Promise<void> {
    const agent = this.agents.get(hostId);
    agent?.kill("SIGKILL");
    await agent?.exited;
    await this.startAgent(hostId);
  }

  /** Stands still and wakes up again: a whole process tree. */
  async pause(pid: number, forMs: number): Promise<void> {
    const pids = descendants(pid);
    signal(pids, "SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, forMs));
    signal(pids, "SIGCONT");
  }

  killRoomHost(hostId: string): void {
    const pid = this.agents.get(hostId)?.pid ?? -1;
    signal(
      descendants(pid).filter((child) => child !== pid),
      "SIGKILL",
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.agents.values()].map((agent) => agent[Symbol.asyncDispose]()));
    for (const { child } of this.brokers) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
    await this.redis[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function signal(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself meanwhile.
    }
  }
}
