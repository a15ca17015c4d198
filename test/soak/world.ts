/** A broker here, and hosts and gateways in processes of their own, which can be killed and come back where they were. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { type AgentProcess, startAgent } from "@centroid/agent";
import { type Broker, startBroker } from "@centroid/broker";
import type { Receipt, Room } from "@centroid/protocol";
import { DisposalStack } from "@centroid/protocol/node";
import { bundleRooms } from "@centroid/room-host/bundling";
import { freePort } from "../support/free-port.js";
import { descendants } from "../support/processes.js";

const MAIN = join(import.meta.dirname, "../../server/cli/dist/main.js");
const HOSTS = ["a", "b", "c"];
const GATEWAYS = 2;
const KIB = 1024;

interface GatewayProcess {
  port: number;
  child: ChildProcess;
}

export class SoakWorld implements AsyncDisposable {
  readonly broker: Broker;
  readonly hostIds = HOSTS;
  readonly #owned: DisposalStack;
  readonly #agents: Map<string, AgentProcess>;
  readonly #gateways: GatewayProcess[] = [];
  #ending = false;

  private constructor(broker: Broker, agents: Map<string, AgentProcess>, owned: DisposalStack) {
    this.broker = broker;
    this.#agents = agents;
    this.#owned = owned;
  }

  static async start(): Promise<SoakWorld> {
    const owned = new DisposalStack();
    const folder = await mkdtemp(join(tmpdir(), "centroid-soak-"));
    owned.defer(() => rm(folder, { recursive: true, force: true }));
    const rooms = join(import.meta.dirname, "../fixtures/frame-rooms");
    const { path: roomsBundle, roomTypes } = await bundleRooms(rooms, folder);
    const broker = owned.use(await startBroker({ port: 0, autoMove: false, limits: false }));
    const agents = new Map<string, AgentProcess>();
    for (const hostId of HOSTS)
      agents.set(
        hostId,
        owned.use(
          await startAgent({
            ...{ hostId, name: hostId, latitude: 0, longitude: 0, capacityRooms: 20 },
            ...{ maxFramesPerSecond: 0, maxBytesPerSecond: 0, roomsBundle, roomTypes },
            brokerUrls: [broker.url.replace("http", "ws")],
            token: broker.agentToken,
          }),
        ),
      );
    const world = new SoakWorld(broker, agents, owned);
    for (let at = 0; at < GATEWAYS; at++) await world.#startGateway(at, await freePort());
    return world;
  }

  get gatewayUrls(): string[] {
    return this.#gateways.map(({ port }) => `http://127.0.0.1:${port}`);
  }

  /** Ends the process at once, and starts another at the same address. */
  async killGateway(at: number): Promise<void> {
    const killed = this.#gateways[at];
    if (killed === undefined) return;
    await end(killed.child, "SIGKILL");
    if (!this.#ending) await this.#startGateway(at, killed.port);
  }

  /** Ends all rooms of a host; its agent goes on. */
  killRoomHosts(hostId: string): void {
    const [, ...children] = descendants(this.#agents.get(hostId)?.pid ?? -1);
    for (const pid of children) process.kill(pid, "SIGKILL");
  }

  async room(roomId: string): Promise<Room> {
    return (await (await fetch(`${this.broker.url}/api/v1/rooms/${roomId}`)).json()) as Room;
  }

  async entryOf(roomId: string, sessionId: string): Promise<{ last: number; count: number; wrong: number }> {
    const answer = await fetch(`${this.broker.url}/api/v1/rooms/${roomId}/state`);
    const { state } = (await answer.json()) as { state: { entries: Record<string, never> } };
    return state.entries[sessionId] ?? { last: 0, count: 0, wrong: 0 };
  }

  async move(roomId: string, hostId: string): Promise<Receipt | undefined> {
    const answer = await fetch(`${this.broker.url}/api/v1/rooms/${roomId}/move`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${this.broker.adminToken}` },
      body: JSON.stringify({ hostId }),
    });
    return answer.ok ? ((await answer.json()) as Receipt) : undefined;
  }

  /** Resident memory of each process, by what it is. */
  async memory(): Promise<Map<string, number>> {
    const pids = new Map(
      this.#gateways.map(({ child, port }) => [`gateway ${port} (${child.pid})`, child.pid]),
    );
    for (const [hostId, agent] of this.#agents)
      for (const pid of descendants(agent.pid))
        pids.set(`${pid === agent.pid ? "agent" : "room host"} ${hostId} (${pid})`, pid);
    const measured = [...pids].map(async ([name, pid]) => [name, await residentBytes(pid ?? -1)] as const);
    return new Map((await Promise.all(measured)).filter(([, bytes]) => bytes > 0));
  }

  async #startGateway(at: number, port: number): Promise<void> {
    const args = ["gateway", "--broker", this.broker.url, "--port", String(port), "--gateway-id", `g${at}`];
    const url = `http://127.0.0.1:${port}`;
    const child = spawn(process.execPath, [MAIN, ...args, "--public-url", url, "--json"], {
      env: { ...process.env, CENTROID_GATEWAY_TOKEN: this.broker.gatewayToken },
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#gateways[at] = { port, child };
    for await (const line of createInterface({ input: child.stdout })) if (line.includes(`"url"`)) return;
    if (!this.#ending) throw new Error("the gateway has ended");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#gateways.map(({ child }) => end(child, "SIGTERM")));
    await this.#owned[Symbol.asyncDispose]();
  }
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill(signal);
  await once(child, "exit");
}

/** @returns 0 if there is no such process any more */
async function residentBytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * KIB;
}
