/**
 * A deployment made of processes that can be killed, on links that can fail, with clocks that can be set: brokers
 * from the CLI with a Redis or with a store of their own, and agents. Ended by itself counts as a violation; whatever
 * ends is started again, as a supervisor would.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { bundleRooms } from "@centroid/room-host/bundling";
import { freePort } from "../support/free-port.js";
import { descendants, mentioning } from "../support/processes.js";
import { TestRedis } from "../support/redis.js";
import { OneWayLink } from "./one-way-link.js";
import { SmallDisk, STARTS_WITHIN_MS } from "./small-disk.js";

const CLI = join(import.meta.dirname, "../../server/cli/dist/main.js");
const CLOCK = pathToFileURL(join(import.meta.dirname, "settable-clock.mjs")).href;
const AGENT_TOKEN = "chaos-agent-token-0123";
export const ADMIN_TOKEN = "chaos-admin-token-0123";
const SUPERVISOR_WAITS_MS = 300;
/** Exit codes of a broker that cannot use its folder, or what is in it: CONFIG_INVALID, STORE_UNAVAILABLE. */
const REFUSALS: readonly unknown[] = [2, 3];

export interface WorldOptions {
  store: "embedded" | "redis";
  brokers: number;
  hosts: number;
  /** Of a Redis that is the caller's; one of the world's own if not given. */
  redisUrl?: string;
  /** Whether all go to each other over links that can fail; straight if not. */
  links?: boolean;
}

export interface ChaosBroker {
  readonly port: number;
  readonly url: string;
  readonly stateDir: string;
  readonly clock: string;
  /** What it reaches its Redis over. */
  readonly redisLink: OneWayLink | undefined;
  child: ChildProcess;
  /** It is being ended and started on purpose. */
  handled: boolean;
}

export interface ChaosHost {
  readonly hostId: string;
  readonly clock: string;
  /** To each broker, in their order. */
  readonly links: readonly OneWayLink[];
  agent: AgentProcess;
  handled: boolean;
}

export class ChaosWorld implements AsyncDisposable {
  readonly #options: WorldOptions;
  readonly redis: TestRedis | undefined;
  readonly disk: SmallDisk | undefined;
  readonly brokers: ChaosBroker[] = [];
  readonly hosts: ChaosHost[] = [];
  /** Processes that ended though nobody had ended them. */
  readonly endedByThemselves: string[] = [];
  readonly #folder: string;
  readonly #rooms: { path: string; roomTypes: string[] };
  #closing = false;
  /** For whoever looks then, or is being started. */
  #writesFailUntilMs = 0;
  readonly #end = new AbortController();
  /** Agents that no broker has welcomed yet. */
  readonly #starting = new Set<Promise<unknown>>();

  private constructor(
    options: WorldOptions,
    redis: TestRedis | undefined,
    folder: string,
    rooms: { path: string; roomTypes: string[] },
  ) {
    this.#options = options;
    this.redis = redis;
    this.#folder = folder;
    this.#rooms = rooms;
    this.disk = options.store === "embedded" ? SmallDisk.mount(join(folder, "disk")) : undefined;
  }

  static async start(options: WorldOptions): Promise<ChaosWorld> {
    const folder = await mkdtemp(join(tmpdir(), "centroid-chaos-"));
    const rooms = await bundleRooms(join(import.meta.dirname, "../fixtures/rooms"), folder);
    const redis =
      options.store === "redis" && options.redisUrl === undefined ? await TestRedis.start() : undefined;
    const world = new ChaosWorld(options, redis, folder, rooms);
    try {
      for (let at = 0; at < options.brokers; at++) await world.#addBroker();
      for (let at = 0; at < options.hosts; at++) await world.addHost(`host${at}`);
    } catch (cause) {
      await world[Symbol.asyncDispose]();
      throw cause;
    }
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
    const redisPort = this.redis && Number(new URL(this.redis.url).port);
    const settings = {
      port,
      url: `http://127.0.0.1:${port}`,
      stateDir: this.disk?.folder ?? join(this.#folder, String(port)),
      clock: join(this.#folder, `clock-${port}.json`),
      redisLink:
        redisPort === undefined || this.#options.links !== true
          ? undefined
          : await OneWayLink.start(redisPort),
    };
    const broker = { ...settings, child: this.#spawn(settings), handled: false };
    this.brokers.push(broker);
    await this.#answers(broker);
    this.#supervise(broker);
  }

  #spawn({ port, stateDir, clock, redisLink }: Omit<ChaosBroker, "child" | "handled">): ChildProcess {
    const redisUrl = this.#options.redisUrl ?? this.redis?.url;
    const args = ["up", "--no-limits", "--hosts", "0", "--port", String(port), "--state-dir", stateDir];
    if (redisLink !== undefined) args.push("--redis", `redis://127.0.0.1:${redisLink.port}`);
    else if (redisUrl !== undefined) args.push("--redis", redisUrl);
    const child = spawn(process.execPath, ["--import", CLOCK, CLI, ...args], {
      // Not this process' own: where that is a file, a broker whose writes fail could not write to it either.
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        CENTROID_AGENT_TOKEN: AGENT_TOKEN,
        CENTROID_TOKEN: ADMIN_TOKEN,
        CENTROID_TEST_CLOCK: clock,
        CENTROID_LOG_LEVEL: "debug",
      },
    });
    child.stderr.on("data", (said: Buffer) => process.stderr.write(said));
    return child;
  }

  async #answers({ url, child }: ChaosBroker): Promise<void> {
    for (;;) {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const response = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(
        () => undefined,
      );
      if (response?.ok === true) return;
      await sleep(100);
    }
  }

  #supervise(broker: ChaosBroker): void {
    const { child } = broker;
    child.once("exit", (code, signal) => {
      if (this.#closing || broker.handled || broker.child !== child) return;
      // Started while its disk is full or fails it says so and ends; whoever supervises it tries again.
      const unwritable = this.disk?.wasFull === true || Date.now() < this.#writesFailUntilMs;
      const refused = REFUSALS.includes(code) && unwritable;
      if (!refused)
        this.endedByThemselves.push(`broker ${broker.port} ended by itself (${signal ?? `code ${code}`})`);
      setTimeout(() => {
        if (!this.#closing) void this.startBroker(broker);
      }, SUPERVISOR_WAITS_MS);
    });
  }

  async startBroker(broker: ChaosBroker): Promise<void> {
    broker.child = this.#spawn(broker);
    this.#supervise(broker);
    await this.#answers(broker);
  }

  /** Kills a broker without a word and starts it again after a while. */
  async restartBroker(broker: ChaosBroker, afterMs: number): Promise<void> {
    if (broker.handled) return;
    broker.handled = true;
    try {
      const { child } = broker;
      if (child.exitCode === null && child.signalCode === null) {
        const gone = once(child, "exit");
        child.kill("SIGKILL");
        await gone;
      }
      await sleep(afterMs);
    } finally {
      broker.handled = false;
    }
    await this.startBroker(broker);
  }

  async addHost(hostId: string): Promise<void> {
    const links =
      this.#options.links === true
        ? await Promise.all(this.brokers.map(({ port }) => OneWayLink.start(port)))
        : [];
    const settings = { hostId, clock: join(this.#folder, `clock-${hostId}.json`), links };
    const host = { ...settings, agent: await this.#startAgent(settings), handled: false };
    this.hosts.push(host);
    this.#watch(host);
  }

  #startAgent({ hostId, links, clock }: Omit<ChaosHost, "agent" | "handled">): Promise<AgentProcess> {
    // What is started below inherits them; this process itself is not affected.
    const { NODE_OPTIONS } = process.env;
    process.env.NODE_OPTIONS = `${NODE_OPTIONS ?? ""} --import ${CLOCK}`;
    process.env.CENTROID_TEST_CLOCK = clock;
    try {
      const config = {
        hostId,
        name: hostId,
        latitude: 0,
        longitude: this.hosts.length * 10,
        brokerUrls: (links.length > 0 ? links : this.brokers).map(({ port }) => `ws://127.0.0.1:${port}`),
        token: AGENT_TOKEN,
        roomsBundle: this.#rooms.path,
        roomTypes: this.#rooms.roomTypes,
        checkpointIntervalMs: 500,
      };
      const started = startAgent(config, { signal: this.#end.signal });
      this.#starting.add(started);
      const settled = (): unknown => this.#starting.delete(started);
      started.then(settled, settled);
      return started;
    } finally {
      if (NODE_OPTIONS === undefined) delete process.env.NODE_OPTIONS;
      else process.env.NODE_OPTIONS = NODE_OPTIONS;
      delete process.env.CENTROID_TEST_CLOCK;
    }
  }

  #watch(host: ChaosHost): void {
    const { agent } = host;
    void agent.exited.then(({ code, signal }) => {
      if (this.#closing || host.handled || host.agent !== agent) return;
      this.endedByThemselves.push(`agent ${host.hostId} ended by itself (${signal ?? `code ${code}`})`);
      void this.#replaceAgent(host);
    });
  }

  /** The agent of a host that is not needed any more ends in good order. */
  async removeHost(host: ChaosHost): Promise<void> {
    host.handled = true;
    await host.agent[Symbol.asyncDispose]();
    this.hosts.splice(this.hosts.indexOf(host), 1);
  }

  /** An agent that no broker welcomes in time is started anew, as often as it takes. */
  async #replaceAgent(host: ChaosHost): Promise<void> {
    while (!this.#closing) {
      await sleep(SUPERVISOR_WAITS_MS);
      const agent = await this.#startAgent(host).catch(() => undefined);
      if (agent === undefined) continue;
      host.agent = agent;
      this.#watch(host);
      return;
    }
  }

  async restartAgent(host: ChaosHost): Promise<void> {
    if (host.handled) return;
    host.handled = true;
    const { agent } = host;
    // All of the machine at once: its room host does not live a moment longer.
    signalAll(descendants(agent.pid), "SIGKILL");
    await agent.exited;
    // Until the new one is there: another kill would find the old one, and start a second beside it.
    await this.#replaceAgent(host);
    host.handled = false;
  }

  /** Every process of a host. */
  pidsOf(host: ChaosHost): number[] {
    return descendants(host.agent.pid);
  }

  roomHostsOf(host: ChaosHost): number[] {
    return this.pidsOf(host).filter((pid) => pid !== host.agent.pid);
  }

  /** Writes of the broker and its store's process to files fail from now on, or work again. */
  failWrites({ child }: ChaosBroker, fail: boolean): void {
    this.#writesFailUntilMs = fail ? Number.POSITIVE_INFINITY : Date.now() + STARTS_WITHIN_MS;
    const limit = fail ? "1:" : "unlimited:";
    // Those that it starts have its limits: it comes first.
    for (const pid of child.pid === undefined ? [] : descendants(child.pid)) {
      try {
        execFileSync("prlimit", ["--pid", String(pid), `--fsize=${limit}`], { stdio: "ignore" });
      } catch {
        // It has ended meanwhile.
      }
    }
  }

  /** Each that a broker has its own store in; one that is starting has none yet. */
  storeProcesses(): number[] {
    const theirs = mentioning(this.mark).filter(({ name }) => name.includes("store-main.js"));
    return theirs.map(({ pid }) => pid);
  }

  /** What brokers have said of themselves, all that is there still. */
  async keepLogs(into: string): Promise<void> {
    for (const { port, stateDir } of this.brokers) {
      const found = await readdir(stateDir, { recursive: true }).catch(() => []);
      for (const file of found.filter((name) => /broker[^/]*\.log[.\d]*$/.test(name)))
        await cp(join(stateDir, file), join(into, `${port}-${basename(file)}`)).catch(() => undefined);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing = true;
    for (const host of this.hosts) {
      signalAll(this.pidsOf(host), "SIGCONT");
      for (const link of host.links) link.release();
    }
    this.#end.abort();
    await Promise.allSettled(this.#starting);
    await Promise.all(this.hosts.map(({ agent }) => agent[Symbol.asyncDispose]()));
    for (const { child } of this.brokers) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      const gone = once(child, "exit");
      child.kill("SIGKILL");
      await gone;
    }
    for (const { links } of this.hosts) for (const link of links) await link[Symbol.asyncDispose]();
    for (const { redisLink } of this.brokers) await redisLink?.[Symbol.asyncDispose]();
    await this.redis?.[Symbol.asyncDispose]();
    this.disk?.[Symbol.dispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

export function setClock(file: string, setting: { offsetMs?: number; stoppedAtMs?: number }): void {
  writeFileSync(file, JSON.stringify(setting));
}

export function signalAll(pids: readonly number[], name: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, name);
    } catch {
      // It ended by itself meanwhile.
    }
  }
}
